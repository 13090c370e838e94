import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Requests are signed as Amazon's documentation shows it ("Signature Calculations for the Authorization Header:
/// Transferring Payload in a Single Chunk", its examples).
@Suite struct S3SignerTests {
  private static let credentials = S3Credentials(
    accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
  private static let emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  private func sign(
    _ request: S3Request, path: String, digest: String = emptyDigest, credentials: S3Credentials = credentials
  ) throws -> HTTPMessage {
    let now = try #require(TimeText.parse("2013-05-24T00:00:00Z"))
    return S3Signer(region: "us-east-1").sign(
      request, path: path, host: "examplebucket.s3.amazonaws.com", bodyDigest: try #require(Hex.decode(digest)),
      credentials: credentials, now: now)
  }

  private func header(_ name: String, of message: HTTPMessage) -> String? {
    message.headers.first { $0.name == name }?.value
  }

  private func expect(_ message: HTTPMessage, signedHeaders: String, signature: String) {
    #expect(
      header("Authorization", of: message)
        == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        + "SignedHeaders=\(signedHeaders),Signature=\(signature)")
  }

  @Test func aRangeOfAnObject() throws {
    let message = try sign(S3Request("GET", "test.txt", headers: [("Range", "bytes=0-9")]), path: "/test.txt")
    #expect(message.method == "GET" && message.target == "/test.txt")
    #expect(header("x-amz-date", of: message) == "20130524T000000Z")
    #expect(header("x-amz-content-sha256", of: message) == Self.emptyDigest)
    expect(
      message, signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
  }

  @Test func anObjectWithACharacterToEncode() throws {
    let request = S3Request(
      "PUT", "test$file.text",
      headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")])
    let message = try sign(
      request, path: "/" + PercentEncoding.encode("test$file.text", keepingSlashes: true),
      digest: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
    #expect(message.target == "/test%24file.text")
    expect(
      message, signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
  }

  @Test func aNameOfAQueryWithoutAValue() throws {
    let message = try sign(S3Request("GET", nil, query: [("lifecycle", "")]), path: "/")
    #expect(message.target == "/?lifecycle=")
    expect(
      message, signedHeaders: "host;x-amz-content-sha256;x-amz-date",
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
  }

  /// In whatever order it is given.
  @Test func aQueryIsSignedInOrder() throws {
    let message = try sign(S3Request("GET", nil, query: [("prefix", "J"), ("max-keys", "2")]), path: "/")
    #expect(message.target == "/?max-keys=2&prefix=J")
    expect(
      message, signedHeaders: "host;x-amz-content-sha256;x-amz-date",
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
  }

  @Test func theTokenOfASessionIsSentAndSigned() throws {
    let temporary = S3Credentials(
      accessKeyID: Self.credentials.accessKeyID, secretKey: Self.credentials.secretKey, sessionToken: "a+b/c=")
    let message = try sign(S3Request("GET", nil), path: "/", credentials: temporary)
    #expect(header("x-amz-security-token", of: message) == "a+b/c=")
    let authorization = try #require(header("Authorization", of: message))
    #expect(authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"))
    // Computed by another program, which computes the examples above too.
    #expect(authorization.hasSuffix("Signature=9d5f00009ba1071ef5bc2756ccf9057fd29470a0860cf1fe0bc83e9c1e45a4b9"))
  }

  @Test func aQueryIsEncodedAsItIsSigned() throws {
    let message = try sign(S3Request("GET", nil, query: [("prefix", "a b/ü+c=&"), ("list-type", "2")]), path: "/")
    #expect(message.target == "/?list-type=2&prefix=a%20b%2F%C3%BC%2Bc%3D%26")
  }

  @Test func credentialsAreNotPrinted() {
    let temporary = S3Credentials(accessKeyID: "id1", secretKey: "secret2", sessionToken: "token3")
    for text in ["\(temporary)", String(reflecting: temporary), "\([temporary])", "\(Optional(temporary) as Any)"] {
      #expect(["id1", "secret2", "token3"].allSatisfy { !text.contains($0) }, "\(text)")
    }
  }

  // MARK: Percent-encoding

  @Test(arguments: [
    ("-._~aZ09", "-._~aZ09"), ("a b", "a%20b"), ("a/b", "a%2Fb"), ("a+b", "a%2Bb"), ("%", "%25"), ("é", "%C3%A9"),
    ("\n", "%0A"), ("", ""),
  ])
  func everyOtherByteIsEncoded(_ text: String, _ encoded: String) {
    #expect(PercentEncoding.encode(text) == encoded)
    #expect(PercentEncoding.decode(encoded) == text)
  }

  @Test func slashesMayStay() { #expect(PercentEncoding.encode("a/b c/", keepingSlashes: true) == "a/b%20c/") }

  /// Some servers encode a blank as forms do.
  @Test func aPlusIsABlank() { #expect(PercentEncoding.decode("a+b%2Bc") == "a b+c") }

  @Test(arguments: ["%", "%a", "%zz", "a%4", "%-1", "%+1"]) func whatIsNoEncodingIsNothing(_ text: String) {
    #expect(PercentEncoding.decode(text) == nil)
  }

  @Test(arguments: UInt64(0)..<50) func whatWasEncodedIsDecoded(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<20 {
      let text = String(decoding: random.bytes(Int.random(in: 0...40, using: &random)), as: UTF8.self)
      for keepsSlashes in [false, true] {
        let encoded = PercentEncoding.encode(text, keepingSlashes: keepsSlashes)
        #expect(PercentEncoding.decode(encoded) == text, "seed \(seed)")
        #expect(
          encoded.wholeMatch(of: keepsSlashes ? /[-._~%\/0-9A-Za-z]*/ : /[-._~%0-9A-Za-z]*/) != nil, "seed \(seed)")
      }
    }
  }
}
