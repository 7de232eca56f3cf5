"""The results as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.costs import Cost
from benchmarks.measure import Result

HEADER = (
    "",
    "makespan",
    "× least",
    "requests per ad",
    "429s",
    "failed rows",
    "paid for nothing",
    "CPU",
    "peak memory",
)

SHOWN_TIMES = 3.5
"""How many times the least possible the picture shows; what takes longer runs out of it."""


def table(results: Sequence[Result]) -> str:
    """A Markdown table, a line for each contender."""
    lines = [
        (
            result.name,
            f"{result.makespan_seconds:.1f} s" + (" and not done" if result.timed_out else ""),
            f"{result.ratio:.2f}" if result.is_done else "–",
            f"{result.requests_per_ad:.2f}",
            str(result.refusals),
            str(result.failed_rows),
            str(result.paid_for_nothing),
            f"{result.cpu_seconds:.1f} s",
            f"{result.peak_mib:.0f} MiB",
        )
        for result in results
    ]
    widths = [max(map(len, column)) for column in zip(HEADER, *lines, strict=True)]

    def row(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        shown = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(shown)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([row(HEADER), f"| {' | '.join(rule)} |", *map(row, lines)])


def plot(results: Sequence[Result], path: Path, *, title: str) -> None:
    """Finished ads over time, a line for each contender, as a picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9.5, 5.2), dpi=150)
    rows, least = results[0].rows, max(result.least_seconds for result in results)
    shown_seconds = SHOWN_TIMES * least
    colours = ("#9aa3b2", "#4f6d9a", "#e0a458", "#c8553d", "#7b6d8d", "#1b7f5c")
    for result, colour in zip(results, colours, strict=False):
        last = result.finished[-1] if result.finished else 0.0
        done = f"done after {last:.0f} s" if result.is_done else f"gave up on {result.failed_rows}"
        axes.step(
            (0, *result.finished),
            range(len(result.finished) + 1),
            where="post",
            color=colour,
            linewidth=2.8 if result is results[-1] else 1.7,
            linestyle="-" if result.is_done else "--",
            # Who gave up is seen on top of whoever did the same up to then.
            zorder=2 if result.is_done else 3,
            label=f"{result.name}: {done}, {result.requests_per_ad:.2f} requests per ad, "
            f"{result.refusals} × 429",
        )
    axes.axvline(least, color="#444", linewidth=0.9, linestyle=":")
    axes.axhline(rows, color="#444", linewidth=0.9, linestyle=":")
    axes.text(least, rows * 0.02, " least possible", fontsize=8, color="#444")
    axes.set(xlabel="seconds from the first request", ylabel="finished ads", title=title)
    axes.set_xlim(0, shown_seconds)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        fontsize=7.5, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13)
    )
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def plot_costs(costs: Sequence[Cost], path: Path, *, title: str) -> None:
    """Each cost as a bar, in times of what it is compared with."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9.5, 0.9 + 0.85 * len(costs)), dpi=150)
    places = range(len(costs), 0, -1)
    # Over the labels, whose ground hides the dotted line.
    axes.barh(places, [cost.times for cost in costs], height=0.5, color="#1b7f5c", zorder=4)
    for place, cost in zip(places, costs, strict=True):
        axes.text(0, place + 0.31, cost.what, fontsize=9, fontweight="bold", va="bottom")
        axes.text(
            cost.times,
            place,
            f"  {cost.times:.2f} × {cost.compared_with}",
            fontsize=8.5,
            va="center",
        )
        axes.text(0, place - 0.31, cost.measured, fontsize=7.5, color="#555", va="top")
    axes.axvline(1, color="#444", linewidth=0.9, linestyle=":", zorder=0)
    for text in axes.texts:
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    axes.set_xlim(0, 1.9 * max(1.0, *(cost.times for cost in costs)))
    axes.set_ylim(0.3, len(costs) + 0.8)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("times of what it is compared with (dotted: the same)", fontsize=8.5)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
