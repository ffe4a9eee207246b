//! memcached as sans-IO machines: server, client, protocol, placement.
