"""All pictures below $PFS/edges in, one sheet of them in $PFS/out/montage.png."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np

PFS = Path(os.environ.get("PFS", "/pfs"))
COLUMNS = 3
WIDTH, HEIGHT, CAPTION = 240, 200, 24


def tile(picture: Path) -> np.ndarray:
    """A picture scaled into a frame of one size, with its name below."""
    grey = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        sys.exit(f"{picture.name}: not a picture that OpenCV can read")
    height, width = grey.shape
    scale = min(WIDTH / width, HEIGHT / height)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    frame = np.zeros((HEIGHT + CAPTION, WIDTH), np.uint8)
    left, top = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    frame[top : top + size[1], left : left + size[0]] = small
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(frame, picture.stem, (8, HEIGHT + 17), font, 0.5, 255, 1, cv2.LINE_AA)
    return frame


def main() -> None:
    """Lay the pictures out in the order of their names, row by row."""
    pictures = sorted((PFS / "edges").rglob("*.png"))
    if not pictures:
        sys.exit(f"no picture below {PFS / 'edges'}")
    tiles = [tile(picture) for picture in pictures]
    while len(tiles) % COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    sheet = PFS / "out" / "montage.png"
    if not cv2.imwrite(str(sheet), np.vstack(rows)):
        sys.exit(f"{sheet}: cannot be written")
    print(f"{len(pictures)} pictures on one sheet")


if __name__ == "__main__":
    main()
