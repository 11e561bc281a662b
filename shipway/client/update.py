"""What a few changed files make of a context that was sent before, without looking anew at all the others.

A `Snapshot` takes what is remembered of those, too, and deals all contents into packs again; of 10,000 files that takes
several times as long. Here packs are dealt again from the first one that is touched to the next border that is where
it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import compress
from operator import ne

from shipway.client.hashing import Hashed, hash_files
from shipway.client.packing import Packing, number_of
from shipway.client.snapshot import Changes, listing_line, telling
from shipway.client.statcache import Sent, Tree
from shipway.context.limits import MIB
from shipway.context.listing import ALONE
from shipway.context.packs import SMALL, Member
from shipway.models.context import digest_of

MOST = 64
"""Changed entries of which this is worth while."""
MOST_SENT = 4 * MIB
"""Bytes of packs that are sent without asking whether they are there."""


class Update:
    """A context that differs in a few entries from the one that was sent last.

    Attributes:
        digest: the context's.
        size: bytes in all its packs.
        lines: its listing.
        new: names of the packs that the other one does not have.
    """

    def __init__(
        self, tree: Tree, before: Sent, now: Sent, files: dict[str, str], new: list[str], told: list[str]
    ) -> None:
        self.digest, self.size, self.lines = now.digest, now.size, now.listing
        self.new = new
        self._tree = tree
        self._before = before
        self._now = now
        self._files = files
        self._told = told

    def changes(self) -> Changes:
        """What is different from the context that was sent last."""
        return Changes(self._before.digest, self._told)

    def remember_sent(self) -> None:
        """Let the next look at the tree tell what is different from this one."""
        cache, now = self._tree.cache, self._now
        gone = set(self._before.keys).difference(now.keys)
        cache.save({line: digests for line, digests in cache.load().items() if line not in gone} | self._files)
        cache.save_sent(now)
        if all(now.keys):
            cache.remember(self._tree.state, self.digest, self.size)


def updated(tree: Tree, packing: Packing) -> Update | None:
    """Look at what has changed since a tree was sent; None if that is nothing, much, or not told so easily. Blocks.

    It is for small files, and for entries without a content. Entries that came or went, and contents that are there
    several times, ask for a `Snapshot`.

    Args:
        tree: what to look at.
        packing: takes the contents of all packs that are touched.

    Raises:
        ContextError: as `Snapshot`.
    """
    sent = tree.cache.load_sent()
    if sent is None or len(sent.keys) != len(tree.files):
        return None
    changed = list(compress(range(len(sent.keys)), map(ne, sent.keys, tree.keys)))
    if not 0 < len(changed) <= MOST:
        return None
    return _Updating(tree, sent, packing, changed).run()


class _Updating:
    def __init__(self, tree: Tree, sent: Sent, packing: Packing, changed: list[int]) -> None:
        self._tree = tree
        self._sent = sent
        self._packing = packing
        self._changed = changed
        self._was = {at: json.loads(sent.listing[at]) for at in changed}
        self._read: dict[int, Hashed] = {}
        self._numbers = [line[line.rindex(" ") + 1 : -2] for line in sent.listing]
        self._begins: dict[str, int] = {}
        """Where the first content of each pack is."""
        for at, number in enumerate(self._numbers):
            self._begins.setdefault(number, at)
        self._begins.pop(str(ALONE), None)

    def run(self) -> Update | None:
        if not (all(map(self._comparable, self._changed)) and self._read_once()):
            return None
        dealt, packs = self._deal(), self._packing.packs
        known = set(self._numbers)
        new = [name for name in packs if str(number_of(name)) not in known]
        if sum(packs[name].size for name in new) > MOST_SENT:
            return None
        now = self._now(dealt)
        files = {read.line: read.parts[0] for read in self._read.values() if read.settled}
        return Update(self._tree, self._sent, now, files, new, self._different(now, dealt))

    def _comparable(self, at: int) -> bool:
        """Whether the entry at a place is the one that was there, with a small content before and now, or with none."""
        file, (path, kind, _, size, *_) = self._tree.files[at], self._was[at]
        same = path == file.path and kind == file.type and (size > 0) == (file.size > 0)
        return bool(same and max(size, file.size) < SMALL)

    def _read_once(self) -> bool:
        """Read what has changed; returns whether each content that came or went is, and was, there once."""
        tree, listing = self._tree, "".join(self._sent.listing)
        places = [at for at in self._changed if tree.files[at].size]
        self._read = dict(zip(places, hash_files([tree.files[at] for at in places], self._packing.room), strict=True))
        there: set[str] = set()
        for at, read in self._read.items():
            (now,), (before,) = read.parts, self._was[at][6]
            if listing.count(before) > 1 or now in there or (now != before and now in listing):
                return False
            there.add(now)
        return True

    def _deal(self) -> dict[int, Member]:
        """Deal the packs that are touched; returns what lies in them now, by the places of the files."""
        dealt: dict[int, Member] = {}
        for touched in self._read:
            for at in self._around(touched) if touched not in dealt else ():
                file, read, member = self._tree.files[at], self._read.get(at), self._member(at)
                line, content = (read.line, read.content) if read else (self._tree.lines[at], None)
                self._packing.add(file, line, [member], content)
                dealt[at] = member
        self._packing.end()
        again = {self._numbers[at] for at in dealt}
        others = [at for at, number in enumerate(self._numbers) if number in again and at not in dealt]
        return dealt | {at: self._member(at) for at in others}

    def _around(self, touched: int) -> Iterator[int]:
        """The places of small contents from the beginning of a pack that is touched to where packs end as they did."""
        first = self._begins[self._numbers[touched]]
        for at in range(first, len(self._numbers)):
            begins = self._begins.get(self._numbers[at], -1)
            if begins == at > touched and self._packing.between_packs:
                return
            if begins >= first:  # else it lies in no pack with others, or in one that came before
                yield at

    def _member(self, at: int) -> Member:
        read = self._read.get(at)
        digest = read.parts[0] if read else json.loads(self._sent.listing[at])[6][0]
        return Member(self._tree.files[at].size, bytes.fromhex(digest))

    def _now(self, dealt: Mapping[int, Member]) -> Sent:
        """What is to be remembered of the context once it was sent."""
        tree, sent = self._tree, self._sent
        keys, told, listing = list(tree.keys), list(sent.telling), list(sent.listing)
        for at in self._changed:
            file, read = tree.files[at], self._read.get(at)
            if read is not None and not (read.settled and read.line == tree.lines[at]):
                keys[at] = ""
            told[at] = telling(file, read.parts[0] if read else "")
            listing[at] = listing_line(file, "", ALONE)
        for at, member in dealt.items():
            listing[at] = listing_line(tree.files[at], member.digest.hex(), self._packing.number(member))
        size = sent.size + sum(tree.files[at].size - self._was[at][3] for at in self._read)
        return Sent(digest_of(told), size, keys, told, listing)

    def _different(self, now: Sent, dealt: Mapping[int, Member]) -> list[str]:
        """The lines that are new, and with them all lines of the packs that they name."""
        number = self._packing.number
        new = {at for at in {*self._changed, *dealt} if now.listing[at] != self._sent.listing[at]}
        packs = {number(dealt[at]) for at in new & dealt.keys()}
        return [now.listing[at] for at in sorted({*new, *dealt}) if at in new or number(dealt[at]) in packs]
