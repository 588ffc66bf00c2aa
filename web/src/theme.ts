import { signal } from "@preact/signals";

export type Theme = "light" | "dark";
const KEY = "causeway.theme";
const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
export const theme = signal<Theme>((localStorage.getItem(KEY) as Theme | null) ?? system());

export const applyTheme = () => (document.documentElement.dataset.theme = theme.value);
export function switchTheme() {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, theme.value);
  applyTheme();
}
