# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the scenarios use."""
import lib
from lib import scenario
from places import Failed, Fleet, wait_for

__all__ = ["Test", "scenario", "wait_for"]


class Test(lib.Test):
    """One scenario that runs."""

    def rig(self, **_):
        rig = Fleet(self.name)
        self.rigs.append(rig)
        return rig

    def same(self, what, found, expected):
        return self.ok(what, found == expected, f"found    {found!r}\nexpected {expected!r}")

    def agrees(self, what, find, seconds=15):
        """find() gives the differences; they must go away."""
        last = ["it was never asked"]

        def none():
            try:
                last[:] = find()
            except (Failed, OSError) as e:
                last[:] = [repr(e)]
            return not last
        try:
            wait_for(what, none, seconds, 0.3)
        except Failed:
            pass
        return self.ok(what, not last, "\n".join(map(str, last[:20])))
