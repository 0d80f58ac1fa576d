import Logging
import Testing

@testable import CommandKit

@Suite struct SettingValueTests {
    @Test(
        "durations read and print",
        arguments: [
            ("500ms", Duration.milliseconds(500), "500ms"), ("30s", .seconds(30), "30s"),
            ("5min", .seconds(300), "5min"), ("300s", .seconds(300), "5min"), ("1h", .seconds(3600), "1h"),
            ("90 s", .seconds(90), "90s"), ("2d", .seconds(172_800), "2d"), ("0", .zero, "0s"),
            ("7us", .microseconds(7), "7us"),
        ])
    func durations(text: String, value: Duration, printed: String) throws {
        #expect(try Duration(settingText: text) == value)
        #expect(value.settingText == printed)
    }

    @Test(
        "no durations",
        arguments: ["", "5", "min", "5m", "5 minutes", "-5s", "1.5h", "99999999999999999999s", "300000000000d"])
    func noDurations(text: String) {
        #expect(throws: ValueFault.self) { try Duration(settingText: text) }
    }

    @Test(
        "sizes read and print",
        arguments: [
            ("64MB", 64 << 20, "64MB"), ("1GB", 1 << 30, "1GB"), ("16kB", 16 << 10, "16kB"), ("1024MB", 1 << 30, "1GB"),
            ("10B", 10, "10B"), ("3 TB", 3 << 40, "3TB"), ("0", 0, "0B"),
        ])
    func sizes(text: String, bytes: Int, printed: String) throws {
        #expect(try ByteSize(settingText: text).bytes == bytes)
        #expect(ByteSize(bytes: bytes).settingText == printed)
    }

    @Test("no sizes", arguments: ["", "64", "64mb", "GB", "1.5GB", "9999999TB", "-1GB", "1GiB"])
    func noSizes(text: String) {
        #expect(throws: ValueFault.self) { try ByteSize(settingText: text) }
    }

    @Test("what is wrong with a unit names the units")
    func unitFault() {
        #expect(throws: ValueFault("'5m' has an unknown unit 'm'; units are us, ms, s, min, h, d")) {
            try Duration(settingText: "5m")
        }
    }

    @Test(
        "addresses read and print",
        arguments: [
            ("127.0.0.1:9898", "127.0.0.1", 9898), ("[::1]:6400", "::1", 6400), ("localhost:0", "localhost", 0),
            ("*:65535", "*", 65535),
        ] as [(String, String, UInt16)])
    func addresses(text: String, host: String, port: UInt16) throws {
        let value = try HostPort(settingText: text)
        #expect(value == HostPort(host: host, port: port))
        #expect(value.settingText == text)
    }

    @Test(
        "no addresses", arguments: ["", "9898", ":9898", "host:", "host:x", "host:65536", "host:+1", "::1:80", "a b:1"])
    func noAddresses(text: String) {
        #expect(throws: ValueFault.self) { try HostPort(settingText: text) }
    }

    @Test("an address may be off", arguments: ["off", "127.0.0.1:9898"])
    func listenAddress(text: String) throws {
        let value = try ListenAddress(settingText: text)
        #expect(value.settingText == text && (value == .off) == (text == "off"))
        #expect(throws: ValueFault.self) { try ListenAddress(settingText: "on") }
    }

    @Test(
        "a connection with a password is refused",
        arguments: [
            "host=db1 password=x", "host=db1 password = x", "postgresql://u:x@db1/", "postgres://u:x@db1",
            "postgresql://db1/?password=x", "postgresql://u@db1/d?sslmode=prefer&password=x", "sslpassword=x host=a",
            "host='a b' password='x y'",
        ])
    func passwordRefused(text: String) {
        #expect(throws: ValueFault.self) { try ConnectionInfo(settingText: text) }
    }

    @Test(
        "a connection without a password is accepted",
        arguments: [
            "host=db1 user=replicator", "postgresql://replicator@db1:5432/",
            "host=db1 application_name='my password=x'",
            "passfile=/etc/zenith/pgpass host=db1", "postgresql://[::1]:5432/d",
        ])
    func noPassword(text: String) throws {
        #expect(try ConnectionInfo(settingText: text).settingText == text)
    }

    @Test("log levels read in any case")
    func logLevels() throws {
        #expect(try Logger.Level(settingText: "Warning") == .warning)
        #expect(throws: ValueFault.self) { try Logger.Level(settingText: "loud") }
    }

    @Test("ranges are checked by the setting")
    func ranges() {
        #expect(throws: ValueFault.self) { try Settings.workers.parse("0") }
        #expect(throws: ValueFault.self) { try Settings.compressionLevel.parse("20") }
        #expect(throws: ValueFault.self) { try Settings.snapshotInterval.parse("10ms") }
    }
}
