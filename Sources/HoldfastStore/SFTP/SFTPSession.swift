internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// A connection that is made when it is needed, and made again after it was lost.
final class SFTPSession: Sendable {
  private struct State {
    var link: SFTPLink?
    var wasConnected = false
    /// The reason why the first connection failed, if trying again does not help.
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

  /// The features of the server; `nil` before the first connection.
  var features: SFTPFeatures? { state.withLock { $0.link?.features } }

  var processID: Int32? {
    state.withLock { $0.link }.flatMap { $0.connection.isAlive ? $0.connection.processID : nil }
  }

  /// Returns the connection. Others wait while it is being made.
  func link() throws -> SFTPLink {
    try state.withLock { state in
      if let link = state.link, link.connection.isAlive { return link }
      // Threads that begin at the same time do not repeat a login that was refused.
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
      // The answer is needed only when bytes are moved, and it has come by then.
      let limits = try features.has(.limits) ? connection.send(.limits) : nil
      return SFTPLink(connection: connection, features: features, limits: limits)
    } catch let violation as SFTPViolation {
      connection.end()
      throw login.error(.violation(violation.finding, beginning: ""), isFirst: isFirst)
    }
  }
}

/// A connection, and the features of its server.
struct SFTPLink: Sendable {
  let connection: SFTPConnection
  let features: SFTPFeatures
  /// The answer with the limits of the server; `nil` if the server reports none.
  let limits: SFTPReply?

  func send(_ request: SFTPRequest, _ payload: UnsafeRawBufferPointer? = nil) throws -> SFTPReply {
    try connection.send(request, payload)
  }

  // MARK: Limits

  /// The bytes that every server takes.
  private static let bytesMin = 32 << 10
  /// The bytes that OpenSSH takes. The rest of a packet is for names.
  private static let bytesMax = 255 << 10
  private static let foldersWithoutLimits = 32
  private static let foldersAtOnce = 16...256

  /// The most bytes of a file in one request.
  var readBytes: Int { get throws { try limit(1).map(Self.bytes) ?? Self.bytesMin } }
  var writeBytes: Int { get throws { try limit(2).map(Self.bytes) ?? Self.bytesMin } }

  /// The most folders that may be open at once. It leaves handles for files.
  var foldersMax: Int {
    get throws {
      guard let handles = try limit(3) else { return Self.foldersWithoutLimits }
      let share = handles == 0 ? Self.foldersAtOnce.upperBound : Int(clamping: handles / 4)
      return min(max(share, Self.foldersAtOnce.lowerBound), Self.foldersAtOnce.upperBound)
    }
  }

  /// Returns a limit of the server; `nil` if it reports none.
  /// - Parameter index: the position in the answer: 0 for the bytes of a packet, 1 of a read, 2 of a write, 3 for
  ///   handles.
  private func limit(_ index: Int) throws -> UInt64? {
    guard let limits else { return nil }
    do {
      return try limits.wait().numbers(4)[index]
    } catch is SFTPAnswer.Failure {
      return nil
    }
  }

  /// - Parameter told: the server's limit; 0 for no limit.
  private static func bytes(_ told: UInt64) -> Int {
    told == 0 ? bytesMax : Int(min(UInt64(bytesMax), max(1024, told)))
  }
}

/// The features of a server beyond version 3.
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
    // The answer is not needed.
    if isUsable { _ = try? link.send(.close(bytes)) }
  }

  /// True while the connection lives, because a handle ends with it.
  var isUsable: Bool { link.connection.isAlive }
}
