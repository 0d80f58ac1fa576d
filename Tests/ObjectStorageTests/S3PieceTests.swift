import FoundationEssentials
import StorageURI
import Testing

@testable import ObjectStorage

/// The parts of the S3 store that need no service.
@Suite("S3 pieces")
struct S3PieceTests {
    @Test("answers are read as elements")
    func xml() throws {
        let text = """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- a > comment --><a:Result xmlns:a="x>y" b='<'><Key>a &amp;&lt;b&#x20;&#233; </Key><Empty/><Empty c="/"/>
            <List><Key>1</Key></List><Key><![CDATA[<2>]]></Key></a:Result>
            """
        let root = try #require(XMLElement.parse(Array(text.utf8)))
        #expect(root.name == "Result")
        #expect(root["Key"] == "a &<b é ")
        #expect(root.all("Key").map(\.text) == ["a &<b é ", "<2>"])
        #expect(root.all("Empty").map(\.text) == ["", ""])
        #expect(root.children.first { $0.name == "List" }?["Key"] == "1")
    }

    @Test(
        "what is not an answer is none",
        arguments: [
            "", "text", "<a>", "<a></b>", "<a/><b/>", "<a>&none;</a>", "<a>&#xD800;</a>", "<a>&#x110000;</a>", "</a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><![CDATA[</a>", "<a b=\"></a>", "<a>&amp</a>", "<", "<>",
            String(repeating: "<a>", count: 40) + String(repeating: "</a>", count: 40), "<a/>text", "&amp;",
        ])
    func notXML(text: String) {
        #expect(XMLElement.parse(Array(text.utf8)) == nil)
    }

    @Test("any bytes give an answer or none")
    func fuzzedXML() {
        let sample = Array("<?xml v?><A b='c'><K>&amp;x&#60;</K><![CDATA[q]]><!--r--><E/></A>".utf8)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                guard let index = bytes.indices.randomElement(using: &generator) else { break }
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes = Array(bytes[..<max(index, 1)])
                }
            }
            _ = XMLElement.parse(bytes)
        }
    }

    @Test("text is escaped for XML, or known to have no way into it")
    func xmlText() {
        #expect("a<b>&\"\r\n\té".xmlText == "a&lt;b&gt;&amp;\"&#13;\n\té")
        #expect("a\u{1}".xmlText == nil)
        #expect("\u{FFFE}".xmlText == nil)
    }

    @Test("dates of services are read")
    func dates() {
        #expect(ServiceDate.http("Sun, 06 Nov 1994 08:49:37 GMT")?.timeIntervalSince1970 == 784_111_777)
        #expect(ServiceDate.http("Thu, 29 Feb 2024 23:59:59 GMT")?.timeIntervalSince1970 == 1_709_251_199)
        #expect(ServiceDate.iso8601("1994-11-06T08:49:37.000Z")?.timeIntervalSince1970 == 784_111_777)
        #expect(ServiceDate.iso8601("2000-03-01T00:00:00Z")?.timeIntervalSince1970 == 951_868_800)
        for text in ["", "Sun, 06 Nov", "1994-11-06", "1994-13-06T08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            #expect(ServiceDate.http(text) == nil)
            #expect(ServiceDate.iso8601(text) == nil)
        }
    }

    @Test("waits double, are cut at a random place, and are not shorter than the service asks")
    func delays() {
        let policy = RetryPolicy()
        func delay(_ retry: Int, _ isThrottled: Bool, _ retryAfter: Duration?, _ random: Double) -> Duration {
            policy.delay(retry: retry, isThrottled: isThrottled, retryAfter: retryAfter, random: random)
        }
        #expect(delay(0, false, nil, 0) == .zero)
        #expect(delay(0, false, nil, 0.5) == .milliseconds(50))
        #expect(delay(3, false, nil, 0.5) == .milliseconds(400))
        #expect(delay(60, false, nil, 0.5) == .seconds(5))
        #expect(delay(0, true, nil, 0.5) == .milliseconds(250))
        #expect(delay(60, true, nil, 0.5) == .seconds(15))
        #expect(delay(0, true, .seconds(3), 0) == .seconds(3))
        #expect(delay(0, true, .seconds(3600), 0) == .seconds(120))
    }

    @Test(
        "addresses follow from service, region, bucket and key",
        arguments: [
            (S3Service.amazon(dualStack: false), false, "b.s3.eu-west-1.amazonaws.com", "/k/é", "/"),
            (.amazon(dualStack: true), true, "s3.dualstack.eu-west-1.amazonaws.com", "/b/k/é", "/b"),
            (.other(scheme: "http", authority: "h:80", path: ""), true, "h", "/b/k/é", "/b"),
            (.other(scheme: "https", authority: "h:8443", path: "/s3"), false, "b.h:8443", "/s3/k/é", "/s3/"),
        ])
    func addresses(service: S3Service, usesPathStyle: Bool, host: String, object: String, bucket: String) {
        let endpoint = S3Endpoint(service: service, bucket: "b", usesPathStyle: usesPathStyle)
        #expect(endpoint.host(region: "eu-west-1") == host)
        #expect(endpoint.path(key: "k/é") == object)
        #expect(endpoint.path(key: nil) == bucket)
    }

    @Test("parts have the size asked for, and more where there would be too many")
    func partSizes() async throws {
        var small = try PartSource(.bytes(testBytes(25)), partSize: 10)
        var sizes: [Int] = []
        while let part = try await small.next() { sizes.append(part.count) }
        #expect(sizes == [10, 10, 5])
        #expect(small.isAtEnd)
        var exact = try PartSource(.bytes(testBytes(20)), partSize: 10)
        sizes = []
        while let part = try await exact.next() { sizes.append(part.count) }
        #expect(sizes == [10, 10])
        // 10,000 parts at most: whole MiB.
        var many = try PartSource(.bytes(testBytes(10_001)), partSize: 1)
        #expect(try await many.next()?.count == 10_001)
    }

    @Test(
        "metadata services are not asked by way of a proxy",
        arguments: [
            ("http://169.254.169.254/latest", true), ("http://100.100.100.200/latest", true),
            ("http://127.0.0.1:80/", true), ("http://localhost/a", true),
            ("http://[fd00:ec2::254]/a", true), ("http://[::1]:80/", true), ("https://sts.amazonaws.com/", false),
            ("http://localhost.example.org/", false), ("http://169.254.169.254.example.org/", false), ("none", false),
            ("http://127.0.0.1@example.org/", false),
        ])
    func localAddresses(url: String, isLocal: Bool) {
        #expect(HTTPTransport.isLocalAddress(url) == isLocal)
    }

    @Test("places are given in the order of asking, and one that is cancelled leaves the line")
    func semaphore() async throws {
        let semaphore = AsyncSemaphore(count: 1)
        try await semaphore.acquire()
        let waiting = Task { try await semaphore.acquire() }
        try await Task.sleep(for: .milliseconds(20))
        let next = Task { try await semaphore.acquire() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        semaphore.release()
        try await next.value
        semaphore.release()
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await semaphore.acquire()
        }
        await #expect(throws: CancellationError.self) { try await late.value }
        try await semaphore.acquire()
    }
}
