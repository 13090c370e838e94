internal import HoldfastModel
internal import HoldfastSystem

/// An object that is read in ranges.
struct S3Object: ReadableBytes {
  /// The number of bytes that are read with the first request for an object of unknown length. Most manifests are not
  /// longer.
  static let firstBytes = 64 << 10

  let client: S3Client
  /// The key with the prefix of the location.
  let key: String
  let name: String
  let length: UInt64
  /// The version that is read; `nil` for the current one.
  private let version: String?
  /// The beginning of the object, if it was read with its length.
  private var beginning: [UInt8] = []

  init(_ client: S3Client, key: String, name: String, length: UInt64, version: String? = nil) {
    (self.client, self.key, self.name, self.length, self.version) = (client, key, name, length, version)
  }

  /// Opens an object of unknown length.
  init(opening client: S3Client, key: String, name: String, version: String? = nil) throws {
    (self.client, self.key, self.name, self.version) = (client, key, name, version)
    var bytes = [UInt8](repeating: 0, count: Self.firstBytes)
    let answer = try bytes.withUnsafeMutableBytes { buffer in
      try Self.answer(client, key, version, 0..<UInt64(Self.firstBytes), buffer)
    }
    switch answer.status {
    case 200, 206:
      guard let whole = Self.wholeLength(answer, from: 0) else { throw Self.noRange(client) }
      length = whole
    // An empty object has no range. Ceph and rclone do not say that its length is 0.
    case 416 where Self.total(answer) ?? 0 == 0: length = 0
    default: throw Self.failure(client, answer, name)
    }
    guard UInt64(answer.filled) == min(length, UInt64(Self.firstBytes)) else { throw Self.noRange(client) }
    bytes.removeSubrange(answer.filled...)
    beginning = bytes
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard !buffer.isEmpty else { return }
    guard offset <= length, UInt64(buffer.count) <= length - offset else { throw StoreError.endOfObject(name) }
    let range = offset..<offset + UInt64(buffer.count)
    if range.upperBound <= UInt64(beginning.count) {
      return buffer.copyBytes(from: beginning[Int(range.lowerBound)..<Int(range.upperBound)])
    }
    let answer = try Self.answer(client, key, version, range, buffer)
    let found: UInt64
    switch answer.status {
    case 200, 206:
      guard let whole = Self.wholeLength(answer, from: offset) else { throw Self.noRange(client) }
      found = whole
    // The object ends before the range. Ceph and rclone do not say where.
    case 416: found = try Self.total(answer) ?? S3Object(opening: client, key: key, name: name, version: version).length
    default: throw Self.failure(client, answer, name)
    }
    guard found == length else {
      throw StoreError.otherLength(key: name, location: client.location, found: found, expected: length)
    }
    guard answer.filled == buffer.count else { throw Self.noRange(client) }
  }

  private static func answer(
    _ client: S3Client, _ key: String, _ version: String?, _ range: Range<UInt64>,
    _ buffer: UnsafeMutableRawBufferPointer
  ) throws -> HTTPAnswer {
    let header = ("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
    let query = version.map { [("versionId", $0)] } ?? []
    return try client.answer(S3Request("GET", key, query: query, headers: [header]), into: buffer)
  }

  /// Returns the length of the whole object, if the answer has its bytes from an offset on; otherwise `nil`.
  private static func wholeLength(_ answer: HTTPAnswer, from offset: UInt64) -> UInt64? {
    // rclone answers with a range and the status of a whole object.
    if answer.headers["content-range"] != nil { return total(answer, from: offset) }
    return answer.status == 200 && offset == 0 ? UInt64(answer.filled) : nil
  }

  /// Returns the length of the whole object from a header such as `bytes 0-9/10240` or `bytes */10240`.
  /// - Parameter offset: the offset at which the bytes of the answer must begin; `nil` if it has none.
  private static func total(_ answer: HTTPAnswer, from offset: UInt64? = nil) -> UInt64? {
    guard let range = answer.headers["content-range"], range.hasPrefix(offset.map { "bytes \($0)-" } ?? "bytes ") else {
      return nil
    }
    return range.split(separator: "/").last.flatMap { UInt64($0) }
  }

  private static func noRange(_ client: S3Client) -> StoreError {
    .unavailable(location: client.location, reason: "its answer is not the range that was asked for")
  }

  private static func failure(_ client: S3Client, _ answer: HTTPAnswer, _ name: String) -> any Error {
    client.failure(answer, key: name, "s3:GetObject")
  }
}

extension FrozenObject {
  /// Reads the state of an object from an answer.
  /// - Parameters:
  ///   - answer: the answer to a HEAD request.
  ///   - version: the version that was asked for.
  /// - Returns: `nil` for an object that can be read: it is in another storage class, or was thawed.
  init?(_ answer: HTTPAnswer, bucket: String, key: String, version: String?) {
    guard let storageClass = answer.headers["x-amz-storage-class"].flatMap({ StorageClass(rawValue: $0) }),
      let length = answer.headers["content-length"].flatMap({ UInt64($0) })
    else { return nil }
    let restore = answer.headers["x-amz-restore"] ?? ""
    guard !restore.contains("ongoing-request=\"false\"") else { return nil }
    self.init(
      bucket: bucket, key: key, version: version, length: length, storageClass: storageClass,
      isThawing: restore.contains("ongoing-request=\"true\""))
  }
}
