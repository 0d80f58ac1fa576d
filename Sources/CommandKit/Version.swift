/// The version of all of Zenith's programs, which are released together.
public let zenithVersion = "0.1.0"
