//! TrafficJamz head unit.
