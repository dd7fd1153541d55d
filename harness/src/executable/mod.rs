//! Executables that a run needs: Envoy, the fixtures, and what identifies them.
