//! One process, one seed, a whole deployment.
