import Foundation

/// Which tests run: `make test` a fast part of those against storage services, `make test-storages` all.
public enum TestSelection {
    public static let allStorages = ProcessInfo.processInfo.environment["TEST_STORAGES"] == "all"
}
