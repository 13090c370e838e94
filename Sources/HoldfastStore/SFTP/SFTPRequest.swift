/// The requests of SFTP version 3 (draft-ietf-secsh-filexfer-02) that a store makes.
struct SFTPRequest {
  enum Kind: UInt8 {
    case start = 1
    case open = 3
    case close = 4
    case read = 5
    case write = 6
    case statusOfLink = 7
    case openDirectory = 11
    case readDirectory = 12
    case remove = 13
    case makeDirectory = 14
    case removeDirectory = 15
    case rename = 18
    case extended = 200
  }

  /// The ways in which a file is opened.
  enum Opening: UInt32 {
    case reading = 0x01
    case writing = 0x02
    /// For writing, and the name must not exist (the flags `creat` and `excl`).
    case creating = 0x2a
  }

  static let version: UInt32 = 3
  /// The bytes of length, kind and number.
  private static let headerBytes = 9
  private var bytes: [UInt8]

  private init(_ kind: Kind) { bytes = [0, 0, 0, 0, kind.rawValue, 0, 0, 0, 0] }

  private func adding<Number: FixedWidthInteger>(_ number: Number) -> SFTPRequest {
    var request = self
    withUnsafeBytes(of: number.bigEndian) { request.bytes.append(contentsOf: $0) }
    return request
  }

  private func adding(_ text: some Collection<UInt8>) -> SFTPRequest {
    var request = adding(UInt32(clamping: text.count))
    request.bytes.append(contentsOf: text)
    return request
  }

  /// True if the request or its answer has bytes of a file.
  var movesBytes: Bool { bytes[4] == Kind.read.rawValue || bytes[4] == Kind.write.rawValue }

  /// Returns the bytes to send.
  /// - Parameter payload: the number of bytes that follow.
  func framed(as number: UInt32, payload: Int) -> [UInt8] {
    var framed = bytes
    let length = UInt32(clamping: bytes.count - 4 + payload)
    withUnsafeBytes(of: length.bigEndian) { framed.replaceSubrange(0..<4, with: $0) }
    withUnsafeBytes(of: number.bigEndian) { framed.replaceSubrange(5..<Self.headerBytes, with: $0) }
    return framed
  }

  /// Adds permissions, as attributes.
  private func adding(permissions mode: UInt32) -> SFTPRequest { adding(UInt32(4)).adding(mode) }

  // MARK: Requests

  /// Read-only, because objects never change. If the server lets nobody change modes or remove files, this account can
  /// only add.
  private static let objectMode: UInt32 = 0o400
  private static let folderMode: UInt32 = 0o700

  static func open(_ path: String, _ opening: Opening) -> SFTPRequest {
    let request = SFTPRequest(.open).adding(path.utf8).adding(opening.rawValue)
    return opening == .creating ? request.adding(permissions: objectMode) : request.adding(UInt32(0))
  }

  static func close(_ handle: [UInt8]) -> SFTPRequest { SFTPRequest(.close).adding(handle) }

  static func read(_ handle: [UInt8], at offset: UInt64, count: Int) -> SFTPRequest {
    SFTPRequest(.read).adding(handle).adding(offset).adding(UInt32(clamping: count))
  }

  /// - Parameter count: the number of bytes, which follow as the payload.
  static func write(_ handle: [UInt8], at offset: UInt64, count: Int) -> SFTPRequest {
    SFTPRequest(.write).adding(handle).adding(offset).adding(UInt32(clamping: count))
  }

  static func status(_ path: String) -> SFTPRequest { SFTPRequest(.statusOfLink).adding(path.utf8) }

  static func openDirectory(_ path: String) -> SFTPRequest { SFTPRequest(.openDirectory).adding(path.utf8) }

  static func readDirectory(_ handle: [UInt8]) -> SFTPRequest { SFTPRequest(.readDirectory).adding(handle) }

  static func remove(_ path: String) -> SFTPRequest { SFTPRequest(.remove).adding(path.utf8) }

  static func makeDirectory(_ path: String) -> SFTPRequest {
    SFTPRequest(.makeDirectory).adding(path.utf8).adding(permissions: folderMode)
  }

  static func removeDirectory(_ path: String) -> SFTPRequest { SFTPRequest(.removeDirectory).adding(path.utf8) }

  static func rename(_ path: String, to other: String) -> SFTPRequest {
    SFTPRequest(.rename).adding(path.utf8).adding(other.utf8)
  }

  static func link(_ path: String, to other: String) -> SFTPRequest {
    extended(.hardLink).adding(path.utf8).adding(other.utf8)
  }

  /// Gives a file the name of another one, in one step.
  static func rename(_ path: String, replacing other: String) -> SFTPRequest {
    extended(.renameReplacing).adding(path.utf8).adding(other.utf8)
  }

  static func synchronize(_ handle: [UInt8]) -> SFTPRequest { extended(.synchronize).adding(handle) }

  static func space(_ path: String) -> SFTPRequest { extended(.space).adding(path.utf8) }

  static var limits: SFTPRequest { extended(.limits) }

  private static func extended(_ name: SFTPExtension) -> SFTPRequest {
    SFTPRequest(.extended).adding(name.rawValue.utf8)
  }

  /// The first packet, which has no number: the version is in its place.
  static var start: [UInt8] { SFTPRequest(.start).framed(as: version, payload: 0) }
}

/// The extensions of version 3 that a store uses, by their names in the server's first packet.
enum SFTPExtension: String {
  case hardLink = "hardlink@openssh.com"
  case renameReplacing = "posix-rename@openssh.com"
  case synchronize = "fsync@openssh.com"
  case space = "statvfs@openssh.com"
  case limits = "limits@openssh.com"
}
