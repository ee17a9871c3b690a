"""Messages and shared memory between two processes, without Java."""

from __future__ import annotations

import gc
import os
import socket
import threading

import numpy as np
import pytest

from fijibridge.fiji._memory import Segment, create_segment
from fijibridge.fiji._segments import Segments
from fijibridge.fiji._wire import Channel, Closed


@pytest.fixture
def line():
    """Both ends of a line."""
    ends = [Channel(end) for end in socket.socketpair()]
    yield ends
    for end in ends:
        end.close()


@pytest.fixture(params=["memory file", "temporary file"])
def kind(request, monkeypatch):
    """Linux has memory files; other systems take the second way."""
    if request.param == "temporary file":
        monkeypatch.delattr(os, "memfd_create", raising=False)


@pytest.mark.usefixtures("kind")
def test_memory_is_the_same_on_both_sides_and_has_no_name(line, tmp_path, monkeypatch):
    """What has a name can be left behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours, theirs = line
    segment = create_segment(10_000, 1)
    ours.send({"size": segment.size}, segment.files)
    message, files = theirs.receive()
    other = Segment(message["size"], files[0], 1)
    other.mapping[:5] = b"hello"
    assert segment.mapping[:5] == b"hello"
    assert list(tmp_path.iterdir()) == []
    segment.close()
    other.close()


def test_messages_of_any_size_arrive_whole_and_in_order(line):
    """A macro's text may be longer than a socket's buffer."""
    ours, theirs = line
    texts = ["µ" * n for n in (0, 1, 300_000)]
    sender = threading.Thread(target=lambda: [ours.send({"text": text}) for text in texts])
    sender.start()
    assert [theirs.receive()[0]["text"] for _ in texts] == texts
    sender.join()


def test_the_end_of_the_line_is_noticed_amid_a_message(line):
    """A worker may die at any byte."""
    ours, theirs = line
    ours.line.sendall(b"\x00\x00\x10\x00\x00\x00\x00\x00half")
    ours.close()
    with pytest.raises(Closed):
        theirs.receive()


def test_sending_to_nobody_is_noticed(line):
    """And does not end the program by a signal."""
    ours, theirs = line
    theirs.close()
    with pytest.raises(Closed):
        ours.send({"text": "x" * 10_000_000})


def test_a_lent_block_is_used_again_only_after_the_last_view_of_it_is_gone():
    """Otherwise a later job would write into the user's array."""
    segments = Segments()
    segment = segments.take(4 << 20)
    array = segments.lend(segment, 4 << 20)
    view = np.asarray(array)[100:200].reshape(10, 10).view(np.int8)
    del array
    gc.collect()
    other = segments.take(4 << 20)
    assert other is not segment
    view[...] = 1
    del view
    gc.collect()
    assert segments.take(4 << 20) is segment


def test_small_results_do_not_hold_on_to_a_block():
    """One number from a large image must not keep its memory."""
    segments = Segments()
    segment = segments.take(64 << 20)
    array = segments.lend(segment, 1000)
    array[...] = 3
    assert segments.take(64 << 20) is segment
    assert (array == 3).all()


def test_only_so_much_is_kept_for_later(monkeypatch):
    """An idle pool should not sit on the memory of its largest job."""
    monkeypatch.setattr("fijibridge.fiji._segments._KEEP", 10 << 20)
    segments = Segments()
    blocks = [segments.take(4 << 20) for _ in range(4)]
    for block in blocks:
        segments.give_back(block)
    segments.take(1)
    assert len(segments.dropped()) == 2
    assert segments.dropped() == []


def test_closing_gives_back_all_but_what_the_user_still_holds():
    """His array stays good after the pool is gone."""
    segments = Segments()
    array = segments.lend(segments.take(4 << 20), 4 << 20)
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    segments.close()
    array[...] = 5
    assert (array == 5).all()
    del array
    gc.collect()
    assert not files or len(os.listdir("/proc/self/fd")) < files
