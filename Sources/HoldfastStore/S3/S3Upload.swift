internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is being sent: with one request when it has only one part, otherwise in parts.
final class S3Upload: ObjectUpload {
  /// S3 takes parts from 5 MiB on, and 10,000 of them.
  static let partBytes = 6 << 20

  private enum Phase {
    /// Less than a part.
    case single([UInt8])
    case parts(Parts)
    case committed
    case aborted
  }

  /// The parts that have arrived.
  private struct Parts {
    let id: String
    /// Whether the server verifies the SHA-256 of each part, and wants them again when the parts are joined.
    let areChecked: Bool
    /// What stands for each part when they are joined, by its number from 1 on.
    var elements: [Int: String] = [:]
    var length: UInt64 = 0
  }

  private let client: S3Client
  private let key: String
  private let name: String
  /// The headers that say how the object is kept: its storage class, its lock.
  private let headers: [(name: String, value: String)]
  private let isConditional: Bool
  private let hasOwnName: Bool
  private let phase = Mutex<Phase>(.single([]))
  /// Whether a try to join the parts may have succeeded.
  private let mayBeJoined = Atomic(false)

  /// - Parameters:
  ///   - headers: say how the object is kept: its storage class, its lock.
  ///   - isConditional: whether the server is asked not to replace an object.
  ///   - hasOwnName: whether nobody else makes an object with this key.
  init(
    _ client: S3Client, key: String, name: String, headers: [(name: String, value: String)], isConditional: Bool,
    hasOwnName: Bool
  ) {
    self.client = client
    self.key = key
    self.name = name
    self.headers = headers
    self.isConditional = isConditional
    self.hasOwnName = hasOwnName
  }

  deinit { abort() }

  var partBytes: Int? { Self.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    if offset == 0, bytes.count < Self.partBytes {
      return phase.withLock { $0 = .single(Array(bytes)) }
    }
    let begun = try begun()
    let number = Int(offset / UInt64(Self.partBytes)) + 1
    let answer = try client.success(
      S3Request(
        "PUT", key, query: [("partNumber", String(number)), ("uploadId", begun.id)],
        checksum: begun.areChecked ? .ofBody : nil), "s3:PutObject", body: bytes)
    guard let tag = answer.headers["etag"] else {
      throw StoreError.unavailable(location: client.location, reason: "it does not name a part that it has taken")
    }
    let checksum = answer.headers[S3Request.Checksum.header].map { "<ChecksumSHA256>\($0)</ChecksumSHA256>" }
    phase.withLock { phase in
      guard case .parts(var parts) = phase else { return }
      parts.elements[number] = "<PartNumber>\(number)</PartNumber><ETag>\(tag)</ETag>\(checksum ?? "")"
      parts.length = max(parts.length, offset + UInt64(bytes.count))
      phase = .parts(parts)
    }
  }

  /// The multipart upload, which begins with its first part.
  private func begun() throws -> Parts {
    try phase.withLock { phase in
      switch phase {
      case .parts(let parts): return parts
      case .committed, .aborted: throw StoreError.notFound(key: name, location: client.location)
      case .single:
        client.prepareTransfer()
        let answer = try client.answer(
          S3Request("POST", key, query: [("uploads", "")], headers: headers, checksum: .ofParts))
        guard answer.isSuccess else { throw failure(answer) }
        guard let id = XMLElement.parse(answer.body)?["UploadId"]?.text, !id.isEmpty else {
          if !XMLElement.isAvailable { throw S3Error.noParser }
          throw StoreError.unavailable(location: client.location, reason: "it does not name a multipart upload")
        }
        let parts = Parts(id: id, areChecked: answer.headers[S3Request.Checksum.algorithmHeader] != nil)
        phase = .parts(parts)
        return parts
      }
    }
  }

  private var conditions: [(name: String, value: String)] { isConditional ? [("If-None-Match", "*")] : [] }

  // MARK: Commit

  /// After a lost answer the parts may be joined already: then the server knows the upload no more, and takes no part.
  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    if !mayBeJoined.load(ordering: .relaxed) { try send(bytes, at: offset) }
    try commit()
  }

  func commit() throws {
    switch phase.withLock({ $0 }) {
    case .committed: return
    case .aborted: throw StoreError.notFound(key: name, location: client.location)
    case .single(let bytes): try put(bytes)
    case .parts(let parts): try complete(parts)
    }
    phase.withLock { $0 = .committed }
  }

  private func put(_ bytes: [UInt8]) throws {
    // Without conditional writes, looking first is the best that can be done.
    if !isConditional, try isThere(bytes) { return }
    let answer = try bytes.withUnsafeBytes { body in
      try client.answer(S3Request("PUT", key, headers: conditions + headers, checksum: .ofBody), body: body)
    }
    if answer.isSuccess { return }
    // An earlier try may have succeeded, and only its answer was lost.
    if answer.status == 412, try isThere(bytes) { return }
    throw failure(answer)
  }

  private func failure(_ answer: HTTPAnswer) -> any Error {
    S3Retention.lock(headers)
      ? S3Retention.failure(client, answer, key: name, "s3:PutObject and s3:PutObjectRetention")
      : client.failure(answer, key: name, "s3:PutObject")
  }

  /// - Returns: false when nothing has the key.
  /// - Throws: `StoreError.alreadyExists` when other bytes have it.
  private func isThere(_ bytes: [UInt8]) throws -> Bool {
    do {
      let object = try S3Object(opening: client, key: key, name: name)
      guard object.length == UInt64(bytes.count) else { throw alreadyExists }
      var found = [UInt8](repeating: 0, count: bytes.count)
      try found.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
      guard found == bytes else { throw alreadyExists }
      return true
    } catch StoreError.notFound {
      return false
    }
  }

  private var alreadyExists: StoreError { .alreadyExists(key: name, location: client.location) }

  /// Some servers replace an object here, whatever the condition. So it is looked for first, unless its name is its
  /// own: that is so for archives, and most large objects are archives.
  private func complete(_ parts: Parts) throws {
    let isTriedAgain = mayBeJoined.load(ordering: .relaxed)
    if isTriedAgain || !hasOwnName, let found = try lengthOfExisting() {
      guard found == parts.length, isTriedAgain else { throw alreadyExists }
      return
    }
    mayBeJoined.store(true, ordering: .relaxed)
    let elements = parts.elements.sorted { $0.key < $1.key }.map { "<Part>\($0.value)</Part>" }
    let body = Array("<CompleteMultipartUpload>\(elements.joined())</CompleteMultipartUpload>".utf8)
    let answer = try body.withUnsafeBytes { bytes in
      try client.answer(S3Request("POST", key, query: [("uploadId", parts.id)], headers: conditions), body: bytes)
    }
    // The server may begin a success before it fails.
    if answer.isSuccess {
      guard let document = XMLElement.parse(answer.body), document.name != "Error" else {
        throw StoreError.unavailable(location: client.location, reason: "it did not join the parts of \(name)")
      }
      return
    }
    // A request that arrives again finds the upload completed, or the object there.
    let isCompleted = answer.isRepeated || isTriedAgain
    if isCompleted, [404, 412].contains(answer.status), try lengthOfExisting() == parts.length { return }
    // Somebody else has made an object with the same key since.
    if answer.status == 412 { throw alreadyExists }
    throw client.failure(answer, key: name, "s3:PutObject")
  }

  private func lengthOfExisting() throws -> UInt64? {
    do {
      return try S3Object(opening: client, key: key, name: name).length
    } catch StoreError.notFound {
      return nil
    }
  }

  func abort() {
    let id: String? = phase.withLock { phase in
      defer { if case .committed = phase {} else { phase = .aborted } }
      guard case .parts(let parts) = phase else { return nil }
      return parts.id
    }
    // What cannot be aborted now is found by S3Uploads later.
    if let id { try? S3Uploads(client: client).abort(key: key, id: id) }
  }
}
