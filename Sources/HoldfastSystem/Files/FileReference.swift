internal import CLinux
internal import Glibc
package import HoldfastModel

/// An open object with owner, mode, extended attributes and times. Changes go to this object, whatever happens to its
/// name meanwhile.
package protocol AttributeHolder {
  func status() throws(SystemError) -> FileStatus
  func setOwner(userID: UInt32, groupID: UInt32) throws(SystemError)
  func setMode(_ mode: UInt32) throws(SystemError)
  func setModified(_ time: Timestamp) throws(SystemError)
  func extendedAttributes() throws(SystemError) -> [ExtendedAttribute]
  func setExtendedAttribute(_ attribute: ExtendedAttribute) throws(SystemError)
  func removeExtendedAttribute(_ name: [UInt8]) throws(SystemError)
}

extension OpenFile: AttributeHolder {}

/// An object that cannot be opened for reading, such as a symbolic link, a fifo or a device, opened as a reference only
/// (open(2), O_PATH). `setMode` does not work on a symbolic link.
///
/// Extended attributes are reached through /proc. If that is not mounted, none are found, and setting one throws
/// ENOENT.
package struct FileReference: AttributeHolder, Sendable {
  private let file: OpenFile

  init(_ file: OpenFile) { self.file = file }

  package func status() throws(SystemError) -> FileStatus { try file.status() }

  package func setOwner(userID: UInt32, groupID: UInt32) throws(SystemError) {
    _ = try file.perform(.attributes, "set the owner of") {
      Int(holdfast_reference_set_owner($0, userID, groupID))
    }
  }

  package func setMode(_ mode: UInt32) throws(SystemError) {
    _ = try file.perform(.attributes, "set the mode of") { Int(holdfast_reference_set_mode($0, mode)) }
  }

  package func setModified(_ time: Timestamp) throws(SystemError) {
    var times = FileSystem.times(modified: time)
    _ = try file.perform(.attributes, "set the times of") { Int(holdfast_reference_set_times($0, &times)) }
  }

  package func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] {
    let descriptor = file.descriptor
    do throws(SystemError) {
      return try ExtendedAttributes.read(file.fullPath) { list, size in
        holdfast_reference_list_attributes(descriptor, list, size)
      } get: { name, value, size in
        holdfast_reference_get_attribute(descriptor, name, value, size)
      }
    } catch {
      // The open object exists; only its path in /proc does not.
      if error.isNotFound { return [] }
      throw error
    }
  }

  package func setExtendedAttribute(_ attribute: ExtendedAttribute) throws(SystemError) {
    _ = try file.perform(.attributes, "set an extended attribute of") { descriptor in
      Path(bytes: attribute.name).withCString { name in
        attribute.value.withUnsafeBytes {
          Int(holdfast_reference_set_attribute(descriptor, name, $0.baseAddress, $0.count))
        }
      }
    }
  }

  package func removeExtendedAttribute(_ name: [UInt8]) throws(SystemError) {
    _ = try file.perform(.attributes, "remove an extended attribute of") { descriptor in
      Path(bytes: name).withCString { Int(holdfast_reference_remove_attribute(descriptor, $0)) }
    }
  }

  /// Returns the target of a symbolic link.
  package func symbolicLinkTarget(_ files: FileSystem) throws(SystemError) -> [UInt8] {
    try files.readSymbolicLink(nil, in: file)
  }
}

extension FileSystem {
  /// The effective user ID of this process.
  package static var userID: UInt32 { geteuid() }

  /// Opens any object, even a symbolic link, to examine it and to set its attributes. No link on the way is followed.
  package func openReference(_ path: Path, beneath directory: OpenFile) throws(SystemError) -> FileReference {
    FileReference(try openBeneath(path, in: directory, .reference))
  }
}

extension FileSystem {
  /// True if processes can be seen; false if /proc is not mounted.
  package static var seesProcesses: Bool { holdfast_has_proc() == 1 }
}
