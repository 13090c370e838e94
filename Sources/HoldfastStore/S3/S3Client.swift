internal import Crypto
internal import FoundationEssentials
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Sends signed requests to one bucket, and turns refusals into errors.
final class S3Client: Sendable {
  private static let amazon = ".amazonaws.com"
  private static let usualRegion = "us-east-1"

  let location: String
  let bucket: String
  let pool: HTTPPool
  private let signer: S3Signer
  private let settings: S3Settings
  let clock: Clock
  var listingLimits: ListingLimits { settings.listingLimits }
  /// The percent-encoded beginning of the path, without a slash at its end.
  private let root: String
  /// True if the server has not refused a header with the SHA-256 of a body.
  private let takesChecksums = Atomic(true)

  /// - Parameter server: the host of the location, without the bucket.
  init(_ server: HTTPServer, bucket: String, location: String, _ settings: S3Settings, host: Host) {
    self.location = location
    self.bucket = bucket
    self.settings = settings
    clock = host.clock
    let isAmazon = server.host.hasSuffix(Self.amazon)
    signer = S3Signer(region: settings.region ?? Self.region(of: server.host) ?? Self.usualRegion)
    if settings.isPathStyle ?? !isAmazon {
      root = "/" + PercentEncoding.encode(bucket)
      pool = Self.pool(server, settings, host)
    } else {
      root = ""
      let named = HTTPServer(host: "\(bucket).\(server.host)", port: server.port, isEncrypted: server.isEncrypted)
      pool = Self.pool(named, settings, host)
    }
  }

  private static func pool(_ server: HTTPServer, _ settings: S3Settings, _ host: Host) -> HTTPPool {
    HTTPPool(
      server, certificates: settings.certificates, proxy: settings.proxy, patience: settings.patience,
      traffic: settings.traffic, host: host)
  }

  /// Returns the region in a name of Amazon, such as `s3.eu-central-1.amazonaws.com`; `nil` if there is none.
  private static func region(of host: String) -> String? {
    let parts = host.split(separator: ".")
    guard host.hasSuffix(amazon), parts.count >= 4, let first = parts.firstIndex(of: "s3") else { return nil }
    let region = parts[parts.index(after: first)]
    return region == "amazonaws"
      ? nil : region == "dualstack" && parts.count >= 5 ? String(parts[first + 2]) : String(region)
  }

  /// Makes as many connections as requests may run at once, for requests that will come soon.
  func prepareTransfer() { pool.prepare(settings.connections) }

  /// Sends a request.
  /// - Parameters:
  ///   - body: its digests are sent along.
  ///   - buffer: gets the body of a successful answer; `nil` to leave it in the answer.
  /// - Returns: the answer, whatever its status.
  /// - Throws: `StoreError.unavailable` if there is no complete answer.
  func answer(
    _ request: S3Request, body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    into buffer: UnsafeMutableRawBufferPointer? = nil
  ) throws -> HTTPAnswer {
    var request = request
    let digest = Array(SHA256.hash(data: body))
    if !body.isEmpty { request.headers.append(("Content-MD5", Data(Self.md5(body)).base64EncodedString())) }
    guard let checksum = request.checksum, takesChecksums.load(ordering: .relaxed) else {
      return try exchange(request, body, digest, buffer)
    }
    var checked = request
    checked.headers.append(checksum.header(digest))
    let answer = try exchange(checked, body, digest, buffer)
    guard Self.isNotImplemented(answer) else { return answer }
    let unchecked = try exchange(request, body, digest, buffer)
    // If that is refused too, the checksum was not the reason.
    if !Self.isNotImplemented(unchecked) { takesChecksums.store(false, ordering: .relaxed) }
    return unchecked
  }

  private static func isNotImplemented(_ answer: HTTPAnswer) -> Bool {
    answer.status == 501 || answer.status == 400 && XMLElement.parse(answer.body)?["Code"]?.text == "NotImplemented"
  }

  private func exchange(
    _ request: S3Request, _ body: UnsafeRawBufferPointer, _ digest: [UInt8], _ buffer: UnsafeMutableRawBufferPointer?
  ) throws -> HTTPAnswer {
    let used = try settings.credentials(clock.now())
    let answer = try exchange(request, body, digest, buffer, used)
    guard Self.saysThatKeysEnded(answer) else { return answer }
    // Keys may end before their stated time: a role was changed, or the clocks differ.
    settings.forget(used)
    let others = try settings.credentials(clock.now())
    return others == used ? answer : try exchange(request, body, digest, buffer, others)
  }

  private static func saysThatKeysEnded(_ answer: HTTPAnswer) -> Bool {
    guard (400..<500).contains(answer.status), !answer.body.isEmpty else { return false }
    return ["ExpiredToken", "TokenRefreshRequired"].contains(XMLElement.parse(answer.body)?["Code"]?.text)
  }

  private func exchange(
    _ request: S3Request, _ body: UnsafeRawBufferPointer, _ digest: [UInt8], _ buffer: UnsafeMutableRawBufferPointer?,
    _ credentials: S3Credentials
  ) throws -> HTTPAnswer {
    let message = signer.sign(
      request, path: path(request.key), host: pool.server.authority, bodyDigest: digest, credentials: credentials,
      now: clock.now())
    do {
      return try pool.exchange(message, body: body, into: buffer)
    } catch let error as ConnectionError where error.scope == .transient {
      throw StoreError.unavailable(location: location, reason: error.message)
    }
  }

  /// Sends a request.
  /// - Parameter action: the name of the action in IAM, for the message of a refusal.
  /// - Returns: the answer, if its status is a success.
  /// - Throws: an error for every other status.
  @discardableResult func success(
    _ request: S3Request, _ action: String, body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    into buffer: UnsafeMutableRawBufferPointer? = nil
  ) throws -> HTTPAnswer {
    let answer = try answer(request, body: body, into: buffer)
    guard answer.isSuccess else { throw failure(answer, key: request.key, action) }
    return answer
  }

  /// Returns the MD5 of a body. S3 demands it for some requests, and many servers check nothing else. It guards against
  /// accidents only.
  static func md5(_ body: some DataProtocol) -> [UInt8] {
    Array(Insecure.MD5.hash(data: body))
  }

  private func path(_ key: String?) -> String {
    guard let key else { return root.isEmpty ? "/" : root }
    return "\(root)/\(PercentEncoding.encode(key, keepingSlashes: true))"
  }

  // MARK: Refusals

  /// Returns the error for an answer that is no success.
  func failure(_ answer: HTTPAnswer, key: String?, _ action: String) -> any OperatorError {
    let document = XMLElement.parse(answer.body)
    let code = Self.printable(document?["Code"]?.text ?? "")
    return failure(answer, code: code, key: key, action, document)
  }

  private func failure(
    _ answer: HTTPAnswer, code: String, key: String?, _ action: String, _ document: XMLElement?
  ) -> any OperatorError {
    switch code {
    case "NoSuchUpload": return S3Error.refused(location: location, status: answer.status, code: code)
    case "NoSuchBucket": return S3Error.noBucket(location: location)
    // Ceph sends this with status 403.
    case "QuotaExceeded": return S3Error.full(location: location, code: code)
    case "RequestTimeTooSkewed":
      return S3Error.clockIsOff(
        location: location, serverTime: Self.printable(answer.headers["date"] ?? "another time"))
    case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
      return S3Error.credentialsRefused(location: location, code: code)
    case "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
      let region = answer.headers["x-amz-bucket-region"] ?? document?["Region"]?.text
      return S3Error.otherRegion(location: location, region: region.map(Self.printable))
    case "InvalidObjectState":
      return S3Error.isCold(
        key: key ?? "", location: location, storageClass: Self.printable(document?["StorageClass"]?.text ?? "GLACIER"))
    case "SlowDown", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "InternalError",
      "ServiceUnavailable", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch",
      "XAmzContentChecksumMismatch":
      return unavailable(answer, code)
    default: break
    }
    switch answer.status {
    case 301, 302, 307, 308:
      return S3Error.otherHost(location: location, region: answer.headers["x-amz-bucket-region"].map(Self.printable))
    case 401, 403:
      return S3Error.notPermitted(location: location, action: action, reason: S3Client.reason(document))
    case 507: return S3Error.full(location: location, code: code.isEmpty ? "status 507" : code)
    case 404:
      guard let key else { return S3Error.noBucket(location: location) }
      // An answer to HEAD has no body. With any other code, or with none, the answer is not that of the bucket, but of
      // a proxy or of a gateway without its storage.
      guard ["NoSuchKey", "NoSuchVersion"].contains(code) || answer.body.isEmpty else {
        return unavailable(answer, code)
      }
      return StoreError.notFound(key: key, location: location)
    case 501: return S3Error.notImplemented(location: location, what: action)
    case 408, 409, 429, 500..<600: return unavailable(answer, code)
    default: return S3Error.refused(location: location, status: answer.status, code: code)
    }
  }

  private func unavailable(_ answer: HTTPAnswer, _ code: String) -> StoreError {
    .unavailable(
      location: location, reason: "status \(answer.status)\(code.isEmpty ? "" : " (\(code))")",
      retryAfter: answer.headers["retry-after"].flatMap { Double($0) }.map { .seconds($0) })
  }

  /// Returns a short text of a server without anything that cannot be printed.
  private static func printable(_ text: String) -> String { printable(text, max: 60) }

  private static func printable(_ text: String, max: Int) -> String {
    String(text.unicodeScalars.filter { (0x20..<0x7f).contains($0.value) }.prefix(max).map(Character.init))
  }

  /// Returns the text of a refusal; empty if it says no more than that. Some servers repeat the keys that they were
  /// given: long words without a small letter are left out.
  private static func reason(_ document: XMLElement?) -> String {
    let text = printable(document?["Message"]?.text ?? "", max: 240)
    let words = text.split(separator: " ").map { (word: Substring) -> String in
      word.count >= 12 && !word.contains { $0.isLowercase } ? "…" : String(word)
    }
    let reason = words.joined(separator: " ")
    return ["access denied", "access denied.", "forbidden", "accessdenied"].contains(reason.lowercased()) ? "" : reason
  }
}
