# SPDX-License-Identifier: MIT
"""Convert stamps from a device's clock to the host's clock."""

from collections import deque

from whispersign_model.timestamps import NANOSECONDS

WINDOW = 5 * NANOSECONDS  # window in which the fastest delivery is searched
SLEW = 0.002  # largest offset change in seconds per second; clocks drift 20 times more slowly
SETTLING = NANOSECONDS  # time after the first delivery in which the offset may change quickly
RESTART = NANOSECONDS // 2  # a larger offset change means that the device's clock restarted


class DeviceClock:
    """Estimates the offset between two clocks from stamped deliveries.

    A delivery time is never negative. So the smallest difference between arrival and device time in
    the last seconds is the offset plus the shortest delivery time. The estimate follows clock drift
    slowly and keeps frame intervals within 0.2 % of the device's. In the first second it may change
    by half a frame interval per frame, because the first delivery may have been slow. Stamps that
    increase on the device also increase on the host.
    """

    def __init__(self) -> None:
        self._differences: deque[tuple[int, int]] = deque()  # arrival, arrival - device
        self._offset = 0
        self._begin = 0
        self._device = 0

    @property
    def jitter(self) -> float:
        """Slowest minus fastest delivery time of the last seconds, in seconds."""
        differences = [difference for _, difference in self._differences]
        return (max(differences) - min(differences)) / NANOSECONDS if differences else 0.0

    def host(self, device: int, arrival: int) -> int:
        """Return the host time of a stamp that arrived at ``arrival``, all in nanoseconds."""
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
