//! Tier 1: the Socket.IO connection to the server, whose whole life is owned here.
