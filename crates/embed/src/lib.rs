//! Text to unit vectors with a packaged int8 sentence model.
