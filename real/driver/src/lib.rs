//! tokio and madsim drivers for sans-IO machines.
