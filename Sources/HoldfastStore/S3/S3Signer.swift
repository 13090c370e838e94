internal import Crypto
internal import FoundationEssentials
package import HoldfastModel
package import HoldfastSystem

/// A request to a bucket before it is signed.
package struct S3Request {
  /// The header that asks the server to keep and verify the SHA-256 of what is stored. Some servers refuse such
  /// headers.
  package enum Checksum {
    /// The header has the digest of the body.
    case ofBody
    /// The header announces that each part will come with its digest.
    case ofParts

    static let header = "x-amz-checksum-sha256"
    static let algorithmHeader = "x-amz-checksum-algorithm"

    func header(_ digest: [UInt8]) -> (name: String, value: String) {
      switch self {
      case .ofBody: (Self.header, Data(digest).base64EncodedString())
      case .ofParts: (Self.algorithmHeader, "SHA256")
      }
    }
  }

  package var method: String
  /// The key of an object below the bucket; `nil` for the bucket itself.
  package var key: String?
  package var query: [(name: String, value: String)] = []
  package var headers: [(name: String, value: String)] = []
  /// The checksum that is sent; `nil` for none.
  package var checksum: Checksum?

  package init(
    _ method: String, _ key: String?, query: [(name: String, value: String)] = [],
    headers: [(name: String, value: String)] = [], checksum: Checksum? = nil
  ) {
    (self.method, self.key, self.query, self.headers, self.checksum) = (method, key, query, headers, checksum)
  }
}

/// Signs requests with AWS Signature Version 4, including the body: Amazon S3 API Reference, "Authenticating Requests
/// (AWS Signature Version 4)".
package struct S3Signer {
  private static let algorithm = "AWS4-HMAC-SHA256"
  private let region: String

  package init(region: String) { self.region = region }

  /// Signs a request.
  /// - Parameters:
  ///   - path: percent-encoded.
  ///   - bodyDigest: SHA-256 of the body.
  /// - Returns: the message to send.
  package func sign(
    _ request: S3Request, path: String, host: String, bodyDigest: [UInt8], credentials: S3Credentials, now: Timestamp
  ) -> HTTPMessage {
    let time = Self.time(now)
    let day = String(time.prefix(8))
    let query = request.query
      .map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
      .sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
    var headers = request.headers
    headers += [("x-amz-content-sha256", Hex.encode(bodyDigest)), ("x-amz-date", time)]
    if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
    let signed = (headers + [("host", host)]).map { ($0.name.lowercased(), $0.value) }.sorted { $0.0 < $1.0 }
    let names = signed.map(\.0).joined(separator: ";")
    let canonical = [
      request.method, path, query, signed.map { "\($0):\($1)\n" }.joined(), names, Hex.encode(bodyDigest),
    ].joined(separator: "\n")
    let scope = "\(day)/\(region)/s3/aws4_request"
    let text = [Self.algorithm, time, scope, Hex.encode(SHA256.hash(data: Array(canonical.utf8)))]
      .joined(separator: "\n")
    let signature = Hex.encode(Self.hmac(signingKey(credentials, day), text))
    headers.append(
      (
        "Authorization",
        "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope),SignedHeaders=\(names),Signature=\(signature)"
      ))
    return HTTPMessage(request.method, query.isEmpty ? path : "\(path)?\(query)", headers: headers)
  }

  private func signingKey(_ credentials: S3Credentials, _ day: String) -> [UInt8] {
    [day, region, "s3", "aws4_request"].reduce(Array("AWS4\(credentials.secretKey)".utf8)) { Self.hmac($0, $1) }
  }

  private static func hmac(_ key: [UInt8], _ text: String) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
  }

  /// Returns a time such as `20261122T140503Z`.
  static func time(_ time: Timestamp) -> String {
    TimeText.utc(time).prefix { $0 != "." }.filter { $0 != "-" && $0 != ":" } + "Z"
  }
}
