package import HoldfastModel

/// The compression of new frames: `none`, `deflate` (ISA-L), `deflate:1` to `deflate:9` (libz), `zstd:1` to `zstd:19`.
package enum Compression: Hashable, Sendable, CustomStringConvertible {
  case none
  /// `nil` is ISA-L's level 1, the default: the fastest compression whose output libz can decode.
  case deflate(level: Int?)
  case zstd(level: Int)

  package static let standard = Compression.deflate(level: nil)

  /// `nil` for a text that names no compression.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let level = parts.count == 2 ? (1...19).first { parts[1] == String($0) } : nil
    switch (parts[0], parts.count, level) {
    case ("none", 1, _): self = .none
    case ("deflate", 1, _): self = .deflate(level: nil)
    case ("deflate", 2, .some(let level)) where (1...9).contains(level): self = .deflate(level: level)
    case ("zstd", 1, _): self = .zstd(level: 1)
    case ("zstd", 2, .some(let level)) where (1...19).contains(level): self = .zstd(level: level)
    default: return nil
    }
  }

  package var description: String {
    switch self {
    case .none: "none"
    case .deflate(nil): "deflate"
    case .deflate(.some(let level)): "deflate:\(level)"
    case .zstd(let level): "zstd:\(level)"
    }
  }
}

extension Compression {
  /// Returns all compressions that give frames of a codec, the usual ones first.
  package static func all(of codec: FrameCodec) -> [Compression] {
    switch codec {
    case .stored: [.none]
    case .zlib: [.standard] + (1...9).map { .deflate(level: $0) }
    case .zstd: (1...19).map { .zstd(level: $0) }
    }
  }
}

/// The codec of one frame, as its index entry records it (format.md, section 4).
package enum FrameCodec: UInt8, Sendable, CaseIterable {
  case stored = 0
  case zlib = 1
  case zstd = 2
}

/// A frame that its codec cannot compress or decompress.
package struct CodecError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package var scope: ErrorScope { exitStatus == .dataLoss ? .repository : .machine }

  static func damaged(_ what: String) -> CodecError {
    CodecError(message: "compressed bytes are damaged: \(what)", hint: nil, exitStatus: .dataLoss)
  }

  static func internalFailure(_ library: String, code: Int) -> CodecError {
    CodecError(
      message: "\(library) failed with code \(code)", hint: "This is a defect: please report it.", exitStatus: .failed)
  }
}
