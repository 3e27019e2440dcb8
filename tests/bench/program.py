"""The program that is measured, as a fresh machine builds it."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build():
    """Builds `ids` with what users get, and returns its path."""
    folder = ROOT / "build" / "bench"
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, "ids"], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "bin" / "ids")
