"""MNIST and Fashion-MNIST in their original idx files.

Sources: LeCun, Cortes, Burges (MNIST); Xiao, Rasul, Vollgraf, Zalando (Fashion-MNIST, MIT).
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from d2m.data.errors import DataError
from d2m.data.sources import Source, locate
from d2m.learning.grid import ByteArray

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"

MNIST = Source(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = Source(
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        TRAIN_IMAGES: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        TRAIN_LABELS: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        TEST_IMAGES: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        TEST_LABELS: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)


def read(source: Source) -> tuple[ByteArray, ByteArray, ByteArray, ByteArray]:
    """Train inputs uint8 (60000, 1, 28, 28), train labels, test inputs, test labels.

    Raises DataError when a file cannot be had or has another checksum.
    """
    train_images, train_labels, test_images, test_labels = (
        parse(locate(source, name))
        for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    )
    return train_images[:, None], train_labels, test_images[:, None], test_labels


def parse(path: Path) -> ByteArray:
    """The uint8 array of a gzipped idx file. Raises DataError."""
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a gzip file ({error}); delete it and try again") from error
    dimensions = data[3] if len(data) > 3 and data[:3] == b"\x00\x00\x08" else 0
    head = 4 + 4 * dimensions
    shape = [int.from_bytes(data[start : start + 4], "big") for start in range(4, head, 4)]
    if not dimensions or len(data) - head != math.prod(shape):
        raise DataError(f"{path} is not an idx file of bytes; delete it and try again")
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)
