//! HOSTS: `jamz-server`, the convoy's authority while there is an internet.
