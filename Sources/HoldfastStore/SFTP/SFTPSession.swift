internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// A connection that is made when it is needed, and made anew when it was lost.
final class SFTPSession: Sendable {
  private struct State {
    var link: SFTPLink?
    var wasConnected = false
    /// Why there was no first connection, if trying again does not help.
    var refusal: (any Error)?
  }

  private let login: SFTPLogin
  private let host: Host
  private let patience: SFTPPatience
  private let traffic: Traffic
  private let state = Mutex(State())
  let waits = SFTPWaits()

  init(_ login: SFTPLogin, _ host: Host, _ patience: SFTPPatience, _ traffic: Traffic) {
    (self.login, self.host, self.patience, self.traffic) = (login, host, patience, traffic)
  }

  deinit { state.withLock { $0.link }?.connection.close() }

  /// What is known of the server; `nil` before the first connection.
  var features: SFTPFeatures? { state.withLock { $0.link?.features } }

  var processID: Int32? {
    state.withLock { $0.link }.flatMap { $0.connection.isAlive ? $0.connection.processID : nil }
  }

  /// The connection. Others wait while it is being made.
  func link() throws -> SFTPLink {
    try state.withLock { state in
      if let link = state.link, link.connection.isAlive { return link }
      // Threads that begin at the same time do not try what was refused one after the other.
      if let refusal = state.refusal { throw refusal }
      do {
        let link = try connect(isFirst: !state.wasConnected)
        (state.link, state.wasConnected) = (link, true)
        return link
      } catch {
        if !state.wasConnected, (error as? any OperatorError)?.scope == .machine { state.refusal = error }
        throw error
      }
    }
  }

  private func connect(isFirst: Bool) throws -> SFTPLink {
    let connection = SFTPConnection(try login.connect(), host, patience, traffic, waits) { [login] end in
      login.error(end, isFirst: isFirst)
    }
    do {
      let features = SFTPFeatures(try connection.start())
      // Nobody waits for it before bytes are moved, and it has come by then.
      let limits = try features.has(.limits) ? connection.send(.limits) : nil
      return SFTPLink(connection: connection, features: features, limits: limits)
    } catch let violation as SFTPViolation {
      connection.end()
      throw login.error(.violation(violation.finding, beginning: ""), isFirst: isFirst)
    }
  }
}

/// A connection, and what its server can do.
struct SFTPLink: Sendable {
  let connection: SFTPConnection
  let features: SFTPFeatures
  /// The answer that tells the limits; `nil` from a server that tells none.
  let limits: SFTPReply?

  func send(_ request: SFTPRequest, _ payload: UnsafeRawBufferPointer? = nil) throws -> SFTPReply {
    try connection.send(request, payload)
  }

  // MARK: Limits

  /// What every server takes, in bytes.
  private static let bytesMin = 32 << 10
  /// What OpenSSH takes, in bytes; the rest of a packet is for names.
  private static let bytesMax = 255 << 10
  private static let foldersWithoutLimits = 32
  private static let foldersAtOnce = 16...256

  /// The most bytes of a file in one request.
  var readBytes: Int { get throws { try limit(1).map(Self.bytes) ?? Self.bytesMin } }
  var writeBytes: Int { get throws { try limit(2).map(Self.bytes) ?? Self.bytesMin } }

  /// How many folders may be open at once, so that files can be as well.
  var foldersMax: Int {
    get throws {
      guard let handles = try limit(3) else { return Self.foldersWithoutLimits }
      let share = handles == 0 ? Self.foldersAtOnce.upperBound : Int(clamping: handles / 4)
      return min(max(share, Self.foldersAtOnce.lowerBound), Self.foldersAtOnce.upperBound)
    }
  }

  /// - Parameter index: of a number in the answer: bytes of a packet, a read, a write, and handles.
  private func limit(_ index: Int) throws -> UInt64? {
    guard let limits else { return nil }
    do {
      return try limits.wait().numbers(4)[index]
    } catch is SFTPAnswer.Failure {
      return nil
    }
  }

  /// - Parameter told: by the server; 0 for no limit.
  private static func bytes(_ told: UInt64) -> Int {
    told == 0 ? bytesMax : Int(min(UInt64(bytesMax), max(1024, told)))
  }
}

/// What a server can do beyond version 3.
struct SFTPFeatures: Sendable, Equatable {
  private let names: Set<String>

  init(_ extensions: [String: String]) { names = Set(extensions.keys) }

  func has(_ name: SFTPExtension) -> Bool { names.contains(name.rawValue) }
}

/// A file or directory that the server has opened. It is closed with this object.
final class SFTPHandle: Sendable {
  let link: SFTPLink
  let bytes: [UInt8]

  init(_ bytes: [UInt8], _ link: SFTPLink) { (self.bytes, self.link) = (bytes, link) }

  deinit {
    // Nobody waits for the answer.
    if isUsable { _ = try? link.send(.close(bytes)) }
  }

  /// A handle ends with its connection.
  var isUsable: Bool { link.connection.isAlive }
}
