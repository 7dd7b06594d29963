import { byId } from "./page.js";

/**
 * Tabs as the ARIA practices want them: arrow keys, Home and End move and choose; the address remembers which.
 * @param onShow Told which tab is shown, once at the start too.
 */
export function startTabs(onShow: (name: string) => void): void {
  const tabs = [...document.querySelectorAll<HTMLButtonElement>("[role=tab]")];
  const nameOf = (tab: HTMLButtonElement): string => tab.getAttribute("aria-controls")!;
  const choose = (tab: HTMLButtonElement): void => {
    for (const each of tabs) {
      const isChosen = each === tab;
      each.setAttribute("aria-selected", String(isChosen));
      each.tabIndex = isChosen ? 0 : -1;
      byId(nameOf(each)).hidden = !isChosen;
    }
    history.replaceState(null, "", `#${nameOf(tab)}`);
    onShow(nameOf(tab));
  };
  tabs.forEach((tab, index) => {
    tab.onclick = () => choose(tab);
    tab.onkeydown = ({ key }) => {
      const last = tabs.length - 1;
      const target = {
        ArrowRight: index === last ? 0 : index + 1,
        ArrowLeft: index === 0 ? last : index - 1,
        Home: 0,
        End: last,
      }[key];
      if (target === undefined) return;
      tabs[target].focus();
      choose(tabs[target]);
    };
  });
  choose(tabs.find((tab) => `#${nameOf(tab)}` === location.hash) ?? tabs[0]);
}
