package import HoldfastModel
internal import HoldfastSystem

/// The paths at which the configuration is looked for.
package struct ConfigurationLocation: Sendable {
  /// The only file to read, instead of all others.
  package var named: Path?
  /// The file of a user who is not root; it replaces the machine's.
  package var user: Path?
  package var system = Path("/etc/holdfast")
  /// True if a configuration of the machine that this user may not read is ignored.
  package var skipsForbidden = false

  private static let mainFile = "holdfast.yaml"
  private static let folder = "conf.d"
  private static let suffix = ".yaml"

  package init() {}

  /// The path to which a new configuration would be written.
  package var usual: Path { named ?? (user ?? system).appending(Self.mainFile) }

  /// Returns the path of a file that is read in addition to the main file of the machine.
  package func additional(_ name: String) -> Path { system.appending(Self.folder).appending(name + Self.suffix) }

  /// Returns the files to read, the main file first; none when there is no configuration.
  func files(_ files: FileSystem) throws -> (paths: [Path], mistakes: [Mistake]) {
    if let named { return ([named], []) }
    if let file = user?.appending(Self.mainFile), try files.isThere(file) { return ([file], []) }
    // Files that only root may read are not meant for this user, who has not asked for them. The others are ignored
    // too, because one of them may exclude what an unreadable one contains.
    return try forbidden(files) == nil ? systemFiles(files) : ([], [])
  }

  /// Returns the first file or directory of the machine's configuration that this user may not read, which makes all of
  /// that configuration ignored; `nil` when all can be read.
  func forbidden(_ files: FileSystem) throws -> Path? {
    guard skipsForbidden, named == nil, try user.map({ try !files.isThere($0.appending(Self.mainFile)) }) ?? true else {
      return nil
    }
    if try files.isForbidden(system) { return system }
    do {
      return try systemFiles(files).paths.first { try files.isForbidden($0) }
    } catch let error as SystemError where error.isForbidden {
      return error.path
    }
  }

  private func systemFiles(_ files: FileSystem) throws -> (paths: [Path], mistakes: [Mistake]) {
    let main = system.appending(Self.mainFile)
    var paths = try files.isThere(main) ? [main] : []
    var mistakes: [Mistake] = []
    for name in try files.names(in: system.appending(Self.folder)) where name.first != UInt8(ascii: ".") {
      let path = system.appending(Self.folder).appending(name)
      if name.hasSuffix(Self.suffix) {
        paths.append(path)
      } else if name.hasSuffix(".yml") {
        mistakes.append(
          Mistake(
            FilePosition(path, line: 1, column: 1), "this file is not read: its name does not end in .yaml",
            hint: "Rename it."
          ))
      }
    }
    return (paths, mistakes)
  }
}

extension FileSystem {
  /// True if a file or directory exists that this user may not read or list.
  fileprivate func isForbidden(_ path: Path) throws -> Bool {
    do throws(SystemError) {
      guard try status(of: path, followLink: true).kind != .directory else {
        return !isAccessible(path)
      }
      _ = try open(resolve(path), .read)
      return false
    } catch {
      if error.isForbidden { return true }
      return false
    }
  }

  /// True if this user may list a directory and reach its contents.
  private func isAccessible(_ directory: Path) -> Bool {
    guard let opened = try? open(directory, .directoryFollowingLinks) else { return false }
    do throws(SystemError) {
      _ = try statusIfPresent(of: Path("."), in: opened)
      return true
    } catch {
      return !error.isForbidden
    }
  }

  fileprivate func isThere(_ path: Path) throws -> Bool {
    do throws(SystemError) {
      _ = try status(of: path, followLink: true)
      return true
    } catch {
      if error.isNotFound { return false }
      throw error
    }
  }

  /// Returns the sorted names; none when there is no such directory.
  fileprivate func names(in directory: Path) throws -> [[UInt8]] {
    do throws(SystemError) {
      let listing = try open(directory, .directoryFollowingLinks).listing()
      return (0..<listing.count).map { Array(listing[$0]) }
    } catch {
      if error.isNotFound { return [] }
      throw error
    }
  }
}

extension [UInt8] {
  fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}

/// Reads configuration files. Anyone who can change one decides what holdfast runs, so others must not have write
/// permission.
struct ConfigurationFile {
  static let bytesMax = 1 << 20
  /// Write permission of group and others.
  private static let othersMask: UInt32 = 0o022

  let path: Path

  func read(_ files: FileSystem) throws(Mistake) -> [UInt8] {
    do {
      let file = try files.open(files.resolve(path), .read)
      let status = try file.status()
      guard status.kind == .file else { throw mistake("this is no file", hint: "Name a file of YAML.") }
      guard status.mode & Self.othersMask == 0 else {
        throw mistake(
          "others can change this file (mode 0\(String(status.mode, radix: 8)))", hint: "Run `chmod go-w \(path)`.")
      }
      guard status.userID == 0 || status.userID == UserID.own else {
        throw mistake(
          "this file belongs to another user (\(status.userID))",
          hint: "It must belong to root or to you (\(UserID.own)).")
      }
      guard status.size <= UInt64(Self.bytesMax) else {
        throw mistake("this file is too long", hint: "A configuration has at most 1 MiB.")
      }
      return try file.contents(max: Self.bytesMax)
    } catch let error as Mistake {
      throw error
    } catch let error as SystemError {
      throw Mistake(
        nil, error.isNotFound ? "there is no configuration file \(path)" : error.message,
        hint: error.isNotFound
          ? "Name another one with --config, or make it: see `holdfast config example`." : error.hint)
    } catch {
      throw Mistake(nil, "cannot read \(path): \(error)", hint: nil)
    }
  }

  private func mistake(_ message: String, hint: String) -> Mistake {
    Mistake(FilePosition(path, line: 1, column: 1), message, hint: hint)
  }
}
