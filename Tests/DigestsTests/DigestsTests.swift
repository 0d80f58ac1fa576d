import Digests
import Testing

/// Values of the published examples: RFC 1321 (MD5), FIPS 180 (SHA-256), RFC 4231 (HMAC), RFC 4648 (Base64).
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
