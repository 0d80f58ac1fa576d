import FoundationEssentials

/// Keys that a program prints, as a profile's `credential_process` tells.
extension AWSCredentialResolver {
    /// As long as other tools wait.
    private static let processTimeout = Duration.seconds(60)

    func processCredentials(_ command: String, of profile: AWSProfile) async throws -> AWSCredentials {
        let words: [String]
        do throws(CommandWords.Fault) { words = try CommandWords.split(command) } catch {
            throw CredentialSourceFailure("profile \(profile.name)", "its credential_process \(error.problem)")
        }
        guard let program = words.first, !program.isEmpty else {
            throw CredentialSourceFailure("profile \(profile.name)", "its credential_process names no program")
        }
        // Of the program no more than its name: its arguments may be secret.
        let name = program.split(separator: "/").last.map(String.init) ?? program
        let source = "profile \(profile.name), program \(message(name))"
        guard let programs else { throw CredentialSourceFailure(source, "is not run here") }
        let result: ProgramResult
        do {
            result = try await programs.run(
                ProgramRequest(
                    program: program, arguments: Array(words.dropFirst()),
                    environment: identity.environment.variables, timeout: Self.processTimeout))
        } catch {
            if error is CancellationError || Task.isCancelled { throw CancellationError() }
            throw CredentialSourceFailure(source, message("\(error)", hiding: Self.values(words)))
        }
        switch result.ending {
        case .exited(0): return try ProcessDocument.credentials(result.output, source: source)
        case .exited(let code):
            let line = String(decoding: result.errors, as: UTF8.self).split(whereSeparator: \.isNewline).first ?? ""
            let words = line.isEmpty ? "" : ": \(message(String(line), hiding: Self.values(words)))"
            throw CredentialSourceFailure(source, "ended with code \(code)\(words)")
        case .killed(let signal): throw CredentialSourceFailure(source, "was killed by signal \(signal)")
        case .timedOut:
            throw CredentialSourceFailure(source, "did not end within \(Self.processTimeout.components.seconds) s")
        }
    }

    /// What the program was given, where it may be secret: a program may well repeat it when it complains.
    private static func values(_ words: [String]) -> [Secret] {
        words.dropFirst().compactMap { word in
            guard word.hasPrefix("-") else { return Secret(word) }
            return word.firstIndex(of: "=").map { Secret(String(word[word.index(after: $0)...])) }
        }
    }
}

/// Keys as such a program prints them.
private struct ProcessDocument: Decodable {
    let version: Int
    let accessKeyID, secretAccessKey: String
    let sessionToken, expiration: String?

    private enum CodingKeys: String, CodingKey {
        case version = "Version"
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case sessionToken = "SessionToken"
        case expiration = "Expiration"
    }

    private struct Version: Decodable {
        let version: Int?
        private enum CodingKeys: String, CodingKey { case version = "Version" }
    }

    /// Nothing of what was printed gets into an error: it may hold keys.
    static func credentials(_ output: [UInt8], source: String) throws -> AWSCredentials {
        let data = Data(output)
        guard let version = try? JSONDecoder().decode(Version.self, from: data) else {
            throw CredentialSourceFailure(source, "did not print the JSON expected")
        }
        guard version.version == 1 else {
            let found = version.version.map { "has Version \($0)" } ?? "has no Version"
            throw CredentialSourceFailure(source, "what it printed \(found); only 1 is known")
        }
        guard let document = try? JSONDecoder().decode(ProcessDocument.self, from: data),
            !document.accessKeyID.isEmpty, !document.secretAccessKey.isEmpty
        else { throw CredentialSourceFailure(source, "printed no AccessKeyId and SecretAccessKey") }
        let expiration = document.expiration.flatMap(serviceTime)
        guard document.expiration == nil || expiration != nil else {
            throw CredentialSourceFailure(source, "the Expiration that it printed is not a time")
        }
        return AWSCredentials(
            accessKeyID: document.accessKeyID, secretAccessKey: Secret(document.secretAccessKey),
            sessionToken: document.sessionToken.flatMap { $0.isEmpty ? nil : Secret($0) }, expiration: expiration,
            source: source)
    }
}
