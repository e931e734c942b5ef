# %% [markdown]
# # All ten digits, by the nearest mean image
#
# The chapter's baseline, with ten mean images in place of two: no training at all. What learns less
# than this is not worth its parameters.
#
# Takes about 5 s.

# %%
import sevensteps as ss
from examples.figures import figure, mnist

for metric, expected in (("l1", 0.6685), ("l2", 0.8203)):
    run = ss.train(mnist(), predict=ss.pixel_similarity(metric), out=False)
    figure(
        f"full MNIST, pixel similarity, {metric.upper()}",
        published=f"{expected}",
        ours=run.metrics["valid"]["accuracy"],
        exactly=expected,
        tolerance=1e-9,
        command=f"sevensteps train mnist --predict \"pixel_similarity('{metric}')\"",
    )
    by_class = run.metrics["valid"]["by_class"]
    print(
        "worst told:",
        ", ".join(
            f"{name} ({by_class[name]:.2f})" for name in sorted(by_class, key=by_class.get)[:3]
        ),
    )
