/// The threads that the tests' tasks run on; nothing is to be called: they are there as the tests begin.
