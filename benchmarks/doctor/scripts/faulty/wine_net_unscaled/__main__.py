from . import config
from .train import run

if __name__ == "__main__":
    options = config.read()
    result = run(options)
    print(f"[wine_net] accuracy={result['accuracy']:.4f}")
