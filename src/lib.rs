//! Tidegate: a points and campaign engine.
