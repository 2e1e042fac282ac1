//! The facade over the services, and the adapters that give them a real world to act on.
