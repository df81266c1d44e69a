/** What keeps its process or thread alive while it is held. */
export type Holdable = {
  hold(): void
  release(): void
}

/** Holds for one lease, from now on; the switch that lets go of it and takes it up again. */
export function keepAliveSwitch(holdable: Holdable): (isOn: boolean) => void {
  let isHeld = false
  const keepAlive = (isOn: boolean): void => {
    if (isOn === isHeld) return
    isHeld = isOn
    if (isOn) holdable.hold()
    else holdable.release()
  }
  keepAlive(true)
  return keepAlive
}
