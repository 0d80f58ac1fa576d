import Foundation

/// Which tests run: `make test` a fast part of those against storage services, `make test-storages` all; `make soak`
/// repeats what is a matter of luck for long.
public enum TestSelection {
    public static let isSoak = ProcessInfo.processInfo.environment["TEST_SOAK"] == "yes"
    public static let allStorages = ProcessInfo.processInfo.environment["TEST_STORAGES"] == "all"
}
