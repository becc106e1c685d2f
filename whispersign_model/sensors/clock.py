# SPDX-License-Identifier: MIT
"""Convert stamps from the clock of a device to the clock of the host."""

from collections import deque

from whispersign_model.timestamps import NANOSECONDS

WINDOW = 5 * NANOSECONDS  # window that is searched for the fastest delivery
SLEW = 0.002  # largest offset change in seconds per second; clocks drift 20 times more slowly
SETTLING = NANOSECONDS  # time after the first delivery during which the offset may change fast
RESTART = NANOSECONDS // 2  # a larger change means that the device's clock has restarted


class DeviceClock:
    """Estimates the offset between two clocks from stamped deliveries.

    Delivery takes time, so the smallest difference between arrival time and device time over the
    last seconds equals the clock offset plus the shortest delivery time. The estimate follows clock
    drift slowly and keeps frame intervals within 0.2 % of those on the device. During the first
    second it may change by half a frame interval per frame, because the first delivery may have
    been slow. Stamps that increase on the device also increase on the host.
    """

    def __init__(self) -> None:
        self._differences: deque[tuple[int, int]] = deque()  # (arrival, arrival - device)
        self._offset = 0
        self._begin = 0
        self._device = 0

    @property
    def jitter(self) -> float:
        """The slowest minus the fastest delivery time over the last seconds, in seconds."""
        differences = [difference for _, difference in self._differences]
        return (max(differences) - min(differences)) / NANOSECONDS if differences else 0.0

    def host(self, device: int, arrival: int) -> int:
        """Convert a device stamp that arrived at ``arrival`` to host time, all in nanoseconds."""
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
