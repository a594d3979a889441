"""The nearest shapes in a long series by STUMPY's MASS, on the series and shapes that `rivals` wrote.

Prints one JSON object: peer, version, ms (one a run, a shape), starts (of each shape, nearest first). One thread.
"""

import json
import os
import sys
import time
from pathlib import Path

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy
import stumpy


def main():
    folder, points, k, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    series = numpy.fromfile(folder / "series.bin")
    shapes = numpy.fromfile(folder / "shapes.bin").reshape(-1, points)
    # What depends on the series alone is prepared once.
    means, deviations = stumpy.core.compute_mean_std(series, points)
    finite = numpy.isfinite(means)

    def nearest(shape):
        profile = stumpy.mass(shape, series, M_T=means, Σ_T=deviations, T_subseq_isfinite=finite)
        best = numpy.argpartition(profile, k)[:k]
        return best[numpy.argsort(profile[best])].tolist()

    starts = [nearest(shape) for shape in shapes]
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for shape in shapes:
            nearest(shape)
        times.append((time.perf_counter() - begun) / len(shapes) * 1e3)
    print(json.dumps({"peer": "stumpy.mass", "version": stumpy.__version__, "ms": times, "starts": starts}))


main()
