//! Objects per table and user: create, read, list, count, update, delete, over shards and caches.
