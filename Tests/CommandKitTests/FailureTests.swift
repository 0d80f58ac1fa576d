import ObjectStorage
import SystemPackage
import Testing

@testable import CommandKit

@Suite struct FailureTests {
    @Test(
        "a storage's errors have the documented exit codes",
        arguments: [
            (.denied, 77), (.unavailable, 69), (.throttled, 69), (.corrupt, 65), (.alreadyExists, 73), (.full, 1),
            (.notFound, 1), (.invalid, 1),
        ] as [(ObjectStoreError.Code, Int32)])
    func storageErrors(code: ObjectStoreError.Code, status: Int32) {
        let failure = CommandFailure(ObjectStoreError(code, "s3://b/p: put k"))
        #expect(failure.status.rawValue == status)
        #expect(failure.message == "s3://b/p: put k")
    }

    @Test("an interrupted transfer is worth another try")
    func interrupted() {
        let failure = CommandFailure(ObjectStoreError(.unavailable, "put k", cause: CancellationError()))
        #expect(failure.status == .temporary)
    }

    @Test("error numbers have the documented exit codes")
    func errorNumbers() {
        #expect(CommandFailure(Errno.permissionDenied, "open f").status == .permission)
        #expect(CommandFailure(Errno.noSpace).status == .failed)
        #expect(CommandFailure(Errno.fileExists).status == .outputExists)
        #expect(CommandFailure(Errno.permissionDenied, "open f").message == "open f: Permission denied")
    }

    @Test("the first line stands for itself, whatever is in it")
    func oneLine() {
        let failure = CommandFailure(.failed, "a\nb\u{1B}[31m", details: ["c\td"], hint: "do\nthat")
        #expect(failure.description == "a; b [31m\n  c d\nhint: do; that")
    }

    @Test("a daemon's failure arrives at its starter as it was")
    func relay() {
        let failure = CommandFailure(.permission, "no", details: ["one", "two"], hint: "ask")
        let relayed = Readiness.failure(from: "failed 77\n\(failure)")
        #expect(relayed?.status == .permission)
        #expect(relayed?.description == failure.description)
        #expect(Readiness.failure(from: "ready") == nil)
        #expect(Readiness.failure(from: "failed") == nil)
        #expect(Readiness.failure(from: "failed 200\nx") == nil)
    }

    @Test("dashes and underscores are the same in names, and only there")
    func optionNames() {
        let given = ["init", "--storage_dest", "s3://a_b/c_d", "--pg_bin=/x_y", "-D", "a_b", "--", "--a_b"]
        #expect(
            normalizedOptionNames(given)
                == ["init", "--storage-dest", "s3://a_b/c_d", "--pg-bin=/x_y", "-D", "a_b", "--", "--a_b"])
    }
}
