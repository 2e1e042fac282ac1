//! Packs, actions and workflow files: how they are read, checked and normalised.
