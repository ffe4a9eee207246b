//! A deterministic world for sans-IO machines: network, disk, CPU, clocks, power.
