//! REMEMBERS: the change log and state in SQLite, the library and the cache of tracks.
