import Digests
import Testing

/// Values of the published examples: RFC 1321 (MD5), FIPS 180 (SHA-256), RFC 4231 and 2202 (HMAC), RFC 4648 (Base64).
@Suite("digests and their texts")
struct DigestsTests {
    @Test(
        "digests are those of the published examples",
        arguments: [
            (
                "", "d41d8cd98f00b204e9800998ecf8427e",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            ),
            (
                "abc", "900150983cd24fb0d6963f7d28e17f72",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            ),
        ])
    func published(text: String, md5: String, sha256: String) {
        #expect(Digest.md5(text.utf8).hexadecimal == md5)
        #expect(Digest.sha256(text.utf8).hexadecimal == sha256)
        var hasher = Hasher(.sha256)
        for byte in text.utf8 { hasher.update([byte]) }
        #expect(hasher.finish().hexadecimal == sha256)
    }

    @Test("HMAC is that of RFC 4231, test case 2")
    func hmac() {
        let mac = Digest.hmacSHA256(key: Array("Jefe".utf8), "what do ya want for nothing?".utf8)
        #expect(mac.hexadecimal == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test(
        "HMAC with SHA-1 is that of RFC 2202",
        arguments: [
            ([UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8), "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
            ),
            (
                [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
                "125d7342b9ac11cd91a39af48aa17b4f63f175d3"
            ),
            (Array(1...25), [UInt8](repeating: 0xCD, count: 50), "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
            (
                [UInt8](repeating: 0x0C, count: 20), Array("Test With Truncation".utf8),
                "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"
            ),
            (
                [UInt8](repeating: 0xAA, count: 80),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "aa4ae5e15272d00e95705637ce8a3b55ed402112"
            ),
            (
                [UInt8](repeating: 0xAA, count: 80),
                Array("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data".utf8),
                "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"
            ),
        ])
    func hmacSHA1(key: [UInt8], message: [UInt8], mac: String) {
        #expect(Digest.hmacSHA1(key: key, message).hexadecimal == mac)
    }

    @Test("Base64 pads", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64(text: String, encoded: String) {
        #expect(Array(text.utf8).base64 == encoded)
        #expect([UInt8](base64: encoded) == Array(text.utf8))
        #expect([UInt8](base64: "Zg=") == nil)
    }

    @Test("Base64 for URLs has its own two characters and no padding")
    func base64URL() { #expect([251, 255, 191, 254].base64URL == "-_-__g") }

    @Test("hexadecimal digits of either case are read, and nothing else")
    func hexadecimal() {
        #expect([UInt8](hexadecimal: "00fFA0") == [0, 255, 160])
        #expect([UInt8](hexadecimal: "") == [])
        for text in ["0", "0g", "é", "0x"] { #expect([UInt8](hexadecimal: text) == nil) }
        #expect([0, 255, 160].hexadecimal == "00ffa0")
    }
}
