"""Run the healthy trainings of some libraries (none named: of all), and print what is found."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import time
import traceback
import warnings

os.environ["KERAS_BACKEND"] = "torch"

LIBRARIES = ("lightning", "fastai", "transformers", "keras", "skorch", "accelerate")


def main() -> None:
    """Print a line for each training, and how many were accused."""
    parser = argparse.ArgumentParser(prog="benchmarks.doctor.libraries")
    parser.add_argument("libraries", nargs="*", default=[*LIBRARIES], metavar="LIBRARY")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    accused = trainings = 0
    for library in arguments.libraries:
        module = importlib.import_module(f"benchmarks.doctor.libraries.{library}")
        for name, train in module.TRAININGS.items():
            for seed in range(arguments.seeds):
                began = time.process_time()
                try:
                    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
                        callback = train(seed)
                    found = [f"{f.condition} ({f.severity})" for f in callback.diagnosis.findings]
                    steps = callback.watch.observation.steps
                    said = f"{steps} steps: {', '.join(found) or 'nothing'}"
                    if callback.watch.failure:
                        said += f"; the watch failed: {callback.watch.failure}"
                except Exception:
                    found, said = ["crashed"], traceback.format_exc()
                trainings, accused = trainings + 1, accused + bool(found)
                seconds = time.process_time() - began
                print(f"{library} {name} {seed} ({seconds:.1f} s): {said}", flush=True)
    print(f"accused: {accused} of {trainings}")


if __name__ == "__main__":
    main()
