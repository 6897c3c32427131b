"""Photographs below $PFS/images in, one picture of their edges each in $PFS/out."""

import os
import sys
from pathlib import Path

import cv2

PFS = Path(os.environ.get("PFS", "/pfs"))


def draw_edges(photograph: Path, picture: Path) -> None:
    """Write the edges that Canny's method finds, white on black."""
    grey = cv2.imread(str(photograph), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        sys.exit(f"{photograph.name}: not a picture that OpenCV can read")
    # Sensors are noisy; without the blur every grain would be an edge.
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    if not cv2.imwrite(str(picture), cv2.Canny(smooth, 50, 120)):
        sys.exit(f"{picture}: cannot be written")
    print(f"{photograph.name}: {grey.shape[1]} x {grey.shape[0]} pixels")


def main() -> None:
    """Handle every photograph of the datum; the glob decides how many there are."""
    images = PFS / "images"
    photographs = sorted(path for path in images.rglob("*") if path.is_file())
    if not photographs:
        sys.exit(f"no photograph below {images}")
    for photograph in photographs:
        place = (PFS / "out" / photograph.relative_to(images)).with_suffix(".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        draw_edges(photograph, place)


if __name__ == "__main__":
    main()
