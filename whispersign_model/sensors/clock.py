# SPDX-License-Identifier: MIT
"""A device's clock on the host's: when was it, here, that the device saw this?"""

from collections import deque

from whispersign_model.timestamps import NANOSECONDS

WINDOW = 5 * NANOSECONDS  # over which the quickest delivery is looked for
SLEW = 0.002  # seconds a second by which the offset may change; clocks drift a twentieth of that
SETTLING = NANOSECONDS  # after the first delivery, in which the offset may change quickly
RESTART = NANOSECONDS // 2  # a change of the offset by more than this is another clock


class DeviceClock:
    """Estimates the offset between two clocks from stamped deliveries.

    A delivery takes some time, never less than nothing: the smallest difference between arrival and
    device time in the last seconds is the offset, plus the quickest delivery. It follows a drift of
    either clock, slowly, so that the spacing of frames stays the device's own to 0.2 %. Only in the
    first second, when the first delivery may have been a slow one, it follows at half the spacing.
    Stamps that increase on the device increase here.
    """

    def __init__(self) -> None:
        self._differences: deque[tuple[int, int]] = deque()  # arrival, arrival - device
        self._offset = 0
        self._begin = 0
        self._device = 0

    @property
    def jitter(self) -> float:
        """Seconds by which the slowest delivery of the last seconds was later than the quickest."""
        differences = [difference for _, difference in self._differences]
        return (max(differences) - min(differences)) / NANOSECONDS if differences else 0.0

    def host(self, device: int, arrival: int) -> int:
        """Return the host's time, in nanoseconds, of a device's stamp that arrived just now."""
        difference = arrival - device
        if not self._differences or abs(difference - self._offset) > RESTART:
            self._differences.clear()
            self._offset, self._begin, self._device = difference, arrival, device
        self._differences.append((arrival, difference))
        while arrival - self._differences[0][0] > WINDOW:
            self._differences.popleft()
        quickest = min(difference for _, difference in self._differences)
        settled = arrival - self._begin > SETTLING
        most = max(0, device - self._device) * (SLEW if settled else 0.5)
        change = max(-most, min(most, quickest - self._offset))
        self._offset += round(change)
        self._device = device
        return device + self._offset
