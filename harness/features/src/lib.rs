//! Has no code: its manifest asks for the features of dependencies that otherwise only tests would ask for.
