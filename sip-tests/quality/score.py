"""Scores what was heard by PESQ (ITU-T P.862, narrow band, MOS-LQO) and prints a table.

Arguments: the folder that the program `quality` wrote to, and a file for the figures as JSON.
"""

import json
import pathlib
import statistics
import sys
import wave

import numpy
from pesq import NoUtterancesError, pesq

RATE = 8000


def read(path):
    with wave.open(str(path)) as file:
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def delay_ms(reference, heard):
    """How much later it was heard, by the peak of the correlation."""
    length = 1 << (len(reference) + len(heard)).bit_length()
    spectrum = numpy.fft.rfft(heard, length) * numpy.conj(numpy.fft.rfft(reference, length))
    lag = int(numpy.argmax(numpy.fft.irfft(spectrum, length)[: RATE]))
    return 1000 * lag / RATE


def main(folder, out):
    scores = {}
    for path in sorted(folder.glob("*-*-*-*.wav")):
        number, loss, jitter, buffer = path.stem.split("-")
        reference = read(folder / f"{number}-reference.wav")
        heard = read(path)
        try:
            score = pesq(RATE, reference, heard, "nb")
        except NoUtterancesError:
            sys.exit(f"{path}: no speech in it")
        key = (int(loss), int(jitter))
        found = scores.setdefault(key, {"ours": [], "fixed": [], "delay": []})
        found[buffer].append(score)
        if buffer == "ours":
            found["delay"].append(delay_ms(reference, heard))
    if not scores:
        sys.exit(f"{folder}: nothing to score")
    print(f"{'loss %':>6} {'jitter ms':>9} {'ours':>6} {'fixed 60 ms':>12} {'gain':>6} {'our delay ms':>13}")
    rows = []
    for (loss, jitter), found in sorted(scores.items()):
        ours, fixed = statistics.mean(found["ours"]), statistics.mean(found["fixed"])
        delay = statistics.mean(found["delay"])
        rows.append({"loss": loss, "jitter": jitter, "ours": ours, "fixed": fixed, "delay_ms": delay})
        print(f"{loss:6} {jitter:9} {ours:6.2f} {fixed:12.2f} {ours - fixed:6.2f} {delay:13.0f}")
    out.write_text(json.dumps(rows, indent=1) + "\n")
    worse = [row for row in rows if row["ours"] < row["fixed"] - 0.1]
    for row in worse:
        print(f"worse than the fixed buffer at {row['loss']} % and {row['jitter']} ms", file=sys.stderr)
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
