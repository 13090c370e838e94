package import HoldfastModel
package import HoldfastSystem

/// A secret in the configuration: its file, or the secret itself.
package struct Secret: Hashable, Sendable {
  package enum Origin: Hashable, Sendable {
    case text(String)
    case file(Path)
  }

  package let origin: Origin
  /// The position in the configuration; `nil` when it is not from a file.
  package let position: FilePosition?

  /// Returns the secret itself: one line, without white space at its ends.
  package func read(_ files: FileSystem) throws(Mistake) -> String {
    switch origin {
    case .text(let text): return text
    case .file(let path):
      let file = SecretFile(path: path, position: position)
      let bytes = try file.read(files)
      let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      guard lines.count == 1, String(validating: bytes, as: UTF8.self) != nil else {
        throw Mistake(position, "\(path) does not hold one line", hint: "Put the secret into it, and nothing else.")
      }
      return String(lines[0])
    }
  }
}

/// A file that only its owner may read.
struct SecretFile {
  private static let bytesMax = 64 << 10

  let path: Path
  let position: FilePosition?

  /// - Throws: the fault of the file, with the position at which the file is named.
  func check(_ files: FileSystem) throws(Mistake) { _ = try open(files) }

  func read(_ files: FileSystem) throws(Mistake) -> [UInt8] {
    let file = try open(files)
    do throws(SystemError) {
      return try file.contents(max: Self.bytesMax)
    } catch {
      throw Mistake(position, error.message, hint: error.hint)
    }
  }

  private func open(_ files: FileSystem) throws(Mistake) -> OpenFile {
    let file: OpenFile
    let status: FileStatus
    do throws(SystemError) {
      file = try files.open(files.resolve(path), .read)
      status = try file.status()
    } catch {
      throw Mistake(
        position, error.isNotFound ? "there is no file \(path)" : error.message,
        hint: error.isNotFound ? "Make it, with mode 0600, or name another one." : error.hint)
    }
    guard status.kind == .file else {
      throw Mistake(position, "\(path) is no file", hint: "Name the file that holds the secret.")
    }
    if let objection = SecretFileRule(othersMayNot: .useIt, userID: UserID.own).objection(to: path, status) {
      throw Mistake(position, objection.message, hint: objection.hint)
    }
    return file
  }
}
